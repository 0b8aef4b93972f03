/** The end of a text that is still being said, as it will probably read: open marks are closed, half a link shows its words. */

/** A longer paragraph is left as it is: its end is far from where its marks may have been opened. */
const LONGEST = 8 * 1024;

/** A line that is nothing but a mark by now means something only with what follows: `-` may become an item, or a line below a heading. */
export const isHalfMark = (line: string): boolean => /^[ \t>]*(?:[-=*+_~`#|:]{1,3}|\d{1,9}[.)])[ \t]*$/.test(line);

export function mended(source: string): string {
  if (isInFence(source)) return source;
  const row = /(?:^|\n)( {0,3}\|[^\n]*)$/.exec(source);
  const from = row === null ? source.lastIndexOf("\n\n") + 1 : source.length - (row[1]?.length ?? 0);
  const last = source.slice(from);
  if (last.length > LONGEST) return source;
  const whole = source.slice(0, from) + closed(last);
  return row !== null && !source.slice(0, from).includes("|") ? tableOf(whole, from) : whole;
}

/** What begins like the head of a table is drawn as one. */
function tableOf(text: string, from: number): string {
  const head = text.slice(from).replace(/\|?[ \t]*$/, "|");
  const columns = head.match(/(?<!\\)\|/g)?.length ?? 0;
  return columns < 2 || columns > 100 ? text : `${text.slice(0, from)}${head}\n|${"-|".repeat(columns - 1)}`;
}

interface Mark {
  readonly sign: string;
  length: number;
}

/** A paragraph with its open marks closed. */
function closed(text: string): string {
  const open: Mark[] = [];
  const brackets: number[] = [];
  let at = 0;
  while (at < text.length) {
    const sign = text[at] ?? "";
    if (sign === "\\") {
      if (at === text.length - 1) text = text.slice(0, at); // what it is before is not there yet
      at += 2;
    } else if (sign === "`") {
      const run = runAt(text, at);
      const end = closingOf(text, at + run, run);
      if (end < 0) return closeAll(withoutHalfLink(closedCode(text, at, run), brackets), open);
      at = end;
    } else if (sign === "*" || sign === "_" || sign === "~") {
      const run = runAt(text, at);
      if (!mark(open, sign, run, text, at)) return closeAll(withoutHalfLink(text.slice(0, at), brackets), open);
      at += run;
    } else if (sign === "[") {
      brackets.push(at);
      at += 1;
    } else if (sign === "]") {
      const from = brackets.pop();
      const end = from === undefined ? at + 1 : linkEnd(text, at);
      if (end === null) return closeAll(wordsOnly(text.slice(0, at), from ?? 0), open);
      at = end;
    } else at += 1;
  }
  return closeAll(withoutHalfLink(text, brackets), open);
}

/** Takes note of a mark. False if nothing stands behind it yet, and it cannot close one either. */
function mark(open: Mark[], sign: string, run: number, text: string, at: number): boolean {
  const before = text[at - 1] ?? " ";
  const after = text[at + run] ?? " ";
  const isInWord = sign === "_" && /[\p{L}\p{N}_]/u.test(before) && /[\p{L}\p{N}_]/u.test(after);
  const last = open.findLast((one) => one.sign === sign);
  if (!/\s/.test(before) && last !== undefined && !isInWord) {
    last.length -= run;
    if (last.length <= 0) open.splice(open.lastIndexOf(last));
    return true;
  }
  if (at + run === text.length) return false;
  if (!/\s/.test(after) && !isInWord && (sign !== "~" || run === 2)) open.push({ sign, length: Math.min(run, 3) });
  return true;
}

function runAt(text: string, at: number): number {
  let end = at;
  while (text[end] === text[at]) end += 1;
  return end - at;
}

/** Behind the run of so many backticks that closes what another one opened, or -1. */
function closingOf(text: string, from: number, run: number): number {
  for (let at = text.indexOf("`", from); at >= 0; at = text.indexOf("`", at)) {
    const length = runAt(text, at);
    at += length;
    if (length === run) return at;
  }
  return -1;
}

function closedCode(text: string, at: number, run: number): string {
  const code = text.slice(at + run).replace(/`+$/, "");
  return code.trim() === "" ? text.slice(0, at) : text.slice(0, at + run) + code + "`".repeat(run);
}

/** Behind a link whose words end at `at`; null if its address is not there yet. */
function linkEnd(text: string, at: number): number | null {
  const next = text[at + 1];
  if (next === undefined) return /\[[ xX]$/.test(text.slice(0, at)) ? at + 1 : null;
  if (next !== "(" && next !== "[") return at + 1;
  const end = text.indexOf(next === "(" ? ")" : "]", at + 1);
  if (end >= 0) return end + 1;
  const isAddress = next === "(" && !/^\S*\s+(?!["'(\s])\S/.test(text.slice(at + 2)); // (several words) are none
  return isAddress ? null : at + 2;
}

/** What stands in brackets that are not closed yet. */
function withoutHalfLink(text: string, brackets: readonly number[]): string {
  const from = brackets.at(-1);
  return from === undefined ? text : wordsOnly(text, from);
}

function wordsOnly(text: string, from: number): string {
  return text.slice(0, text[from - 1] === "!" ? from - 1 : from) + text.slice(from + 1);
}

function closeAll(text: string, open: readonly Mark[]): string {
  if (open.length === 0) return text;
  const marks = open.map(({ sign, length }) => sign.repeat(length)).reverse();
  const words = text.trimEnd();
  return words + marks.join("");
}

/** Whether the text ends in code that is fenced, in an item or a quote. */
function isInFence(text: string): boolean {
  let fence: string | null = null;
  for (const [, sign = ""] of text.matchAll(/^(?:[ \t>]|[-+*][ \t]|\d{1,9}[.)][ \t])*(`{3,}|~{3,})/gm)) {
    if (fence === null) fence = sign;
    else if (sign.startsWith(fence)) fence = null;
  }
  return fence !== null;
}
