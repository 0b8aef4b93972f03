/** Where a link of an agent may lead, and what people have to be told about it. */

const SCHEMES = new Set(["http:", "https:", "mailto:", "tel:"]);

/** The address, or null for one that is not opened: of a script, of a file, of this page, or no address at all. */
export function safeAddress(href: string): string | null {
  // What browsers leave out of an address (tabs, line breaks) may hide its scheme from whoever reads it: there is none of it here.
  if (/[\u0000-\u0020\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/.test(href)) return null;
  try {
    const { protocol, hostname, href: whole } = new URL(href);
    const isWeb = protocol === "http:" || protocol === "https:";
    return SCHEMES.has(protocol) && (!isWeb || hostname !== "") ? whole : null;
  } catch {
    return null;
  }
}

/** The host that a link really leads to, where its words name another one or one that is written to look like another one; else null. */
export function hiddenHost(words: string, address: string): string | null {
  const { protocol, host, hostname } = new URL(address);
  if (protocol !== "http:" && protocol !== "https:") return null;
  for (const [, named = ""] of words.slice(0, LONGEST_WORDS).matchAll(NAMED)) {
    const claimed = hostOf(named);
    if (claimed === null || plain(claimed) !== plain(hostname) || isOfTwoScripts(named)) return host;
  }
  return null;
}

/** What looks like the name of a host where a word begins, with or without a scheme before it. */
const NAMED = /(?:^|[\s(<"'])(?:[a-z][a-z0-9+.-]*:\/{0,2})?((?:[\p{L}\p{N}-]{1,63}\.){1,8}\p{L}[\p{L}\p{N}-]{1,62})/giu;
const LONGEST_WORDS = 2_048;

const plain = (name: string): string => name.replace(/^www\./, "");

function hostOf(named: string): string | null {
  try {
    return new URL(`http://${named}`).hostname;
  } catch {
    return null;
  }
}

/** As where one Cyrillic letter stands among Latin ones. */
const isOfTwoScripts = (name: string): boolean =>
  /\p{Script=Latin}/u.test(name) && /(?!\p{Script=Latin})\p{L}/u.test(name);

/** Text without the signs that turn its direction around: they can make one name look like another. */
export const withoutTurns = (text: string): string => text.replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f]/g, "");
