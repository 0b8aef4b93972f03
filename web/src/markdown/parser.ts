/**
 * Markdown as tokens. markdown-it takes time in proportion to its input, whatever that is, and does not nest deeper than it is
 * told; raw HTML stays text.
 */

import MarkdownIt, { type Token } from "markdown-it";

const DEEPEST = 40;
/** Rows may be short and are filled up: so many cells are not made of a few signs. */
const MOST_CELLS = 10_000;

const markdown = new MarkdownIt({ html: false, linkify: true, maxNesting: DEEPEST });
markdown.linkify.set({ fuzzyLink: false }); // `main.py` and `notes.md` are files, though Paraguay and Moldova have such names too
markdown.validateLink = () => true; // what becomes a link is decided where it is drawn

/** Where the links of a text lead that are defined apart from their use, by what `labelOf` makes of their names. */
export type References = Readonly<Record<string, unknown>>;

export interface Parsed {
  readonly tokens: readonly Token[];
  /** What is defined in this text, and not known before. */
  readonly defined: References;
}

/** Null for what is nested so deeply that it would be cut, or would have too many cells. */
export function parse(text: string, known: References): Parsed | null {
  if (cellsOf(text) > MOST_CELLS) return null;
  const references = Object.create(known) as Record<string, unknown>;
  const environment: Record<string, unknown> = { references };
  const tokens = markdown.parse(text, environment);
  if (tokens.some(({ nesting, level }) => nesting === 1 && level >= DEEPEST - 1)) return null;
  return { tokens, defined: Object.fromEntries(Object.entries(references)) };
}

/** At most so many cells a table in the text has. */
function cellsOf(text: string): number {
  if (!text.includes("|")) return 0;
  let most = 0;
  const lines = text.split("\n");
  for (const line of lines) if (line.includes("-")) most = Math.max(most, line.split("|").length - 1);
  return most * lines.length;
}

/** The name of a link that is defined elsewhere, as it is looked up. */
export const labelOf = (name: string): string => markdown.utils.normalizeReference(name);
