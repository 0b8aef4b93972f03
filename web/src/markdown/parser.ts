/**
 * Markdown as tokens. markdown-it takes time in proportion to its input, whatever that is, and does not nest deeper than it is
 * told; raw HTML stays text.
 */

import MarkdownIt, { type Token } from "markdown-it";

const DEEPEST = 40;

const markdown = new MarkdownIt({ html: false, linkify: true, maxNesting: DEEPEST });
markdown.validateLink = () => true; // what becomes a link is decided where it is drawn

/** A block of the outermost level: its tokens, and the lines that it stands on. */
export interface ParsedBlock {
  readonly tokens: readonly Token[];
  readonly firstLine: number;
  /** The line after its last one. */
  readonly endLine: number;
}

/** What link references of earlier texts are to be known. */
export type References = Record<string, unknown>;

export function parse(text: string, references: References): ParsedBlock[] {
  const blocks: ParsedBlock[] = [];
  const tokens = markdown.parse(text, references);
  let begin = 0;
  for (const [at, token] of tokens.entries()) {
    if (token.level !== 0 || token.nesting === 1) continue;
    const [firstLine, endLine] = tokens[begin]?.map ?? [0, 0];
    blocks.push({ tokens: tokens.slice(begin, at + 1), firstLine, endLine });
    begin = at + 1;
  }
  return blocks;
}
