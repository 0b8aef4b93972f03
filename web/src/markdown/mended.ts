/** The end of a text that is still being said, as it will probably read: open marks are closed, half a link shows its words. */

export function mended(text: string): string {
  const from = text.lastIndexOf("\n\n") + 1;
  const last = text.slice(from);
  if (last.length > 4096 || isInFence(text)) return text;
  const shown = last
    .replace(/!?\[([^[\]\n]*)\]\([^()\s]*$/, "$1")
    .replace(/!?\[([^[\]\n]*)$/, "$1")
    .replace(/(^|\s)(?:\*{1,3}|_{1,3}|~{1,2}|`)$/, "$1");
  const closed = shown.replace(/(`+)[^`\n](?:[^`\n]|`(?!\1))*?\1/g, ""); // what stands in code is no mark
  if ((closed.match(/`/g)?.length ?? 0) % 2 === 1) return `${text.slice(0, from)}${shown}\``;
  const open = ["**", "~~"].filter((mark) => closed.split(mark).length % 2 === 0);
  const ends = open.reverse().join("");
  return text.slice(0, from) + (ends === "" ? shown : shown.trimEnd() + ends);
}

function isInFence(text: string): boolean {
  let fence: string | null = null;
  for (const [, mark = ""] of text.matchAll(/^ {0,3}(`{3,}|~{3,})/gm)) {
    if (fence === null) fence = mark;
    else if (mark.startsWith(fence)) fence = null;
  }
  return fence !== null;
}
