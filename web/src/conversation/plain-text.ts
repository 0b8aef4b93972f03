/** Texts of a conversation prepared for people, pure. */

export type Stretch = { readonly kind: "text" | "link"; readonly text: string };

const URL_LIKE = /https?:\/\/[^\s<>"'`]+/g;
const ENDINGS = /[.,;:!?…]+$/;
const PAIRS: readonly (readonly [string, string])[] = [
  ["(", ")"],
  ["[", "]"],
  ["{", "}"],
];

/** Addresses in a text that a person typed become links; what ends a sentence is no part of one. */
export function linkified(text: string): Stretch[] {
  const stretches: Stretch[] = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(URL_LIKE)) {
    const address = trimmed(found);
    if (!URL.canParse(address)) continue;
    if (index > end) stretches.push({ kind: "text", text: text.slice(end, index) });
    stretches.push({ kind: "link", text: address });
    end = index + address.length;
  }
  if (end < text.length) stretches.push({ kind: "text", text: text.slice(end) });
  return stretches;
}

function trimmed(found: string): string {
  let address = found;
  for (;;) {
    const shorter = address.replace(ENDINGS, "");
    const open = PAIRS.find(([, closing]) => shorter.endsWith(closing));
    const isUnpaired = open !== undefined && count(shorter, open[1]) > count(shorter, open[0]);
    const next = isUnpaired ? shorter.slice(0, -1) : shorter;
    if (next === address) return address;
    address = next;
  }
}

const count = (text: string, sign: string): number => text.split(sign).length - 1;

const MOST_LINES = 12;
export const MOST_SHOWN_CHARS = 1_200;

/** Longer than what is pleasant to scroll past. */
export const isLong = (text: string): boolean => text.length > MOST_SHOWN_CHARS || count(text, "\n") >= MOST_LINES;

const TAG_LINE = /^[ \t]*<file:\/[^<>\r\n]{1,4096}>[ \t]*(?:\r?\n|$)/gm;
const TAG = /<file:\/[^<>\r\n]{1,4096}>/g;
const TAG_BEGUN = /<(?:f(?:i(?:l(?:e(?::(?:\/[^<>\r\n]{0,4096})?)?)?)?)?)?$/;

/** An answer without the tags that stand for its files, which are shown below it; nor what looks like the beginning of one while it is still said. */
export function withoutFileTags(text: string, isGrowing: boolean): string {
  if (!text.includes("<")) return text;
  const whole = text.includes("<file:") ? text.replace(TAG_LINE, "").replace(TAG, "") : text;
  return isGrowing ? whole.replace(TAG_BEGUN, "") : whole;
}

/** Nobody listens to more than the beginning. */
const MOST_SPOKEN_FROM = 4_000;

/** What is left of an answer's Markdown for those who listen: words, without what only the eye needs. */
export function spoken(markdown: string, codeWord: string): string {
  return markdown
    .slice(0, MOST_SPOKEN_FROM)
    .replace(/^(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^\1[^\n]*$|(?![\s\S]))/gm, `\n${codeWord}\n`)
    .replace(/!\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\[([^\]]+)\]\([^)]*\)/g, "$1")
    .replace(/^\s{0,3}(?:#{1,6}\s+|>\s?|[-*+]\s+(?:\[[ xX]\]\s+)?|\d+[.)]\s+)/gm, "")
    .replace(/^(?=.*---)[ \t|:-]+$/gm, "")
    .replace(/(\*\*|__|~~|\*|`+)(?=\S)([\s\S]*?\S)\1/g, "$2")
    .replace(/\|/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

/** At most `most` characters, ending with a sentence if there is one, else with a word. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = text.slice(0, most);
  const sentence = /^[\s\S]*[.!?…](?=\s)/.exec(head)?.[0] ?? "";
  if (sentence.length >= most / 2) return sentence;
  return `${head.replace(/\s+\S*$/, "")}…`;
}
