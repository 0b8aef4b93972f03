/** The words that are left of Markdown: for what is copied, said aloud or named. */

import type { Token } from "markdown-it";
import { GrowingMarkdown, type Block } from "./growing.ts";

export function plainText(markdown: string): string {
  const texts = new GrowingMarkdown().read(markdown, false).map(textOf);
  return texts.filter((text) => text !== "").join("\n");
}

function textOf({ tokens, code, source, container }: Block): string {
  if (code !== null) return code.text.trimEnd();
  if (tokens === null) return source;
  const isRestOfTable = container?.kind === "table" && !source.startsWith(container.head);
  const own = isRestOfTable ? tokens.slice(tokens.findIndex(({ type }) => type === "tbody_open")) : tokens;
  const lines = own.map((token, at) =>
    token.type === "inline" ? wordsOf(token) + endOf(own[at + 1], own[at + 2]) : codeOf(token),
  );
  return lines.join("").trimEnd();
}

const wordsOf = ({ children }: Token): string =>
  (children ?? []).map(({ type, content }) => (type === "softbreak" || type === "hardbreak" ? "\n" : content)).join("");

/** Cells of a row stand beside each other, everything else below each other. */
function endOf(next: Token | undefined, afterNext: Token | undefined): string {
  if (next?.type !== "td_close" && next?.type !== "th_close") return "\n";
  return afterNext?.type === "tr_close" ? "" : "\t"; // cells of a row stand beside each other
}

function codeOf({ type, content }: Token): string {
  if (type === "fence" || type === "code_block") return content;
  return type === "tr_close" ? "\n" : "";
}
