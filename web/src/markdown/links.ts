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

/** The host that a link really leads to, where its words name another one; else null. */
export function hiddenHost(words: string, address: string): string | null {
  const { protocol, host, hostname } = new URL(address);
  if (protocol !== "http:" && protocol !== "https:") return null;
  const named = /(?:^|[\s(<"'])(?:[a-z][a-z0-9+.-]*:\/{0,2})?((?:[\p{L}\p{N}-]+\.)+[\p{L}][\p{L}\p{N}-]+)/iu.exec(
    words,
  )?.[1];
  if (named === undefined) return null;
  try {
    const claimed = new URL(`http://${named}`).hostname;
    const plain = (name: string): string => name.replace(/^www\./, "");
    return plain(claimed) === plain(hostname) ? null : host;
  } catch {
    return host;
  }
}

/** Text without the signs that turn its direction around: they can make one name look like another. */
export const withoutTurns = (text: string): string => text.replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f]/g, "");
