/**
 * A text that grows, as blocks. Only the piece at its end is parsed again: what is settled stays the same object, so that it is not drawn
 * again either. A text that comes at once goes the same way, and so ends as the same blocks.
 */

import type { Token } from "markdown-it";
import { isHalfMark, mended } from "./mended.ts";
import { labelOf, parse, type References } from "./parser.ts";
import { fitted, piecesOf, read, type Container, type Line, type Open, type Piece } from "./pieces.ts";

export interface Block {
  readonly key: number;
  readonly source: string;
  /** Null for code, and for what is shown as it is written. */
  readonly tokens: readonly Token[] | null;
  readonly code: { readonly text: string; readonly info: string } | null;
  /** The list or table that it is a part of. */
  readonly container: Container | null;
  /** Of an item: there is an empty line before it. */
  readonly isApart: boolean;
  /** More of it may come. */
  readonly isOpen: boolean;
}

interface Known {
  readonly piece: Piece;
  readonly block: Block;
  readonly defined: References;
  /** How many definitions there were before it and after it. */
  readonly from: number;
  readonly to: number;
}

/** Where the links lead that are defined apart from their use, and in which order they were. */
class Definitions {
  static readonly #MOST = 1_000; // nobody defines more
  readonly links: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  readonly #order = new Map<string, number>();

  get count(): number {
    return this.#order.size;
  }

  add(defined: References): void {
    for (const [label, link] of Object.entries(defined)) {
      if (this.count >= Definitions.#MOST) return;
      this.links[label] = link;
      this.#order.set(label, this.count);
    }
  }

  copy(): Definitions {
    const copy = new Definitions();
    copy.add(this.links);
    return copy;
  }

  /** Whether the text may use one that came after the first `known` ones. */
  areMissing(source: string, known: number): boolean {
    if (known === this.count || !source.includes("[")) return false;
    for (const [, name = ""] of source.matchAll(/\[((?:[^[\]\\]|\\.){1,200})\]/gs)) {
      if ((this.#order.get(labelOf(name)) ?? -1) >= known) return true;
    }
    return false;
  }
}

const BREAK = /\r\n?|\n/g;

export class GrowingMarkdown {
  #text = "";
  #isGrowing = false;
  #settled: Known[] = [];
  #definitions = new Definitions();
  #open: Open | null = null;
  /** Where the line begins that is not over yet. */
  #line = 0;
  #end: readonly Known[] = [];
  /** With what is defined in the end, too. */
  #all = this.#definitions;
  #shown: readonly Block[] = [];

  /** The blocks of `text`, which is the last one and more, or another one. */
  read(text: string, isGrowing: boolean): readonly Block[] {
    if (text === this.#text && this.#isGrowing === isGrowing) return this.#shown;
    if (!text.startsWith(this.#text)) this.#forget();
    this.#text = text;
    this.#isGrowing = isGrowing;
    this.#readLines();
    this.#end = this.#readEnd();
    const known = [...this.#settled, ...this.#end];
    this.#shown = isGrowing ? known.map(({ block }) => block) : this.#resolved(known);
    return this.#shown;
  }

  #forget(): void {
    this.#settled = [];
    this.#definitions = new Definitions();
    this.#open = null;
    this.#line = 0;
    this.#end = [];
  }

  #readLines(): void {
    const over: Piece[] = [];
    BREAK.lastIndex = this.#line;
    for (let found = BREAK.exec(this.#text); found !== null; found = BREAK.exec(this.#text)) {
      if (found[0] === "\r" && BREAK.lastIndex === this.#text.length) break; // its other half may come
      this.#open = read(this.#open, this.#lineTo(found.index), over);
      this.#line = BREAK.lastIndex;
    }
    for (const piece of over) this.#settled.push(this.#known(piece, this.#definitions, false));
  }

  /** What is not settled, as it looks by now. */
  #readEnd(): Known[] {
    const line = this.#lineTo(this.#text.length - (this.#text.endsWith("\r") ? 1 : 0));
    const pieces: Piece[] = [];
    const isHeldBack = line.text === "" || (this.#isGrowing && isHalfMark(line.text));
    const open = isHeldBack ? this.#open : read(this.#open, line, pieces);
    if (open !== null) pieces.push(...piecesOf(open));
    this.#all = this.#definitions.copy(); // what is defined here may still change
    return pieces.map((piece, at) => this.#known(piece, this.#all, this.#isGrowing && at === pieces.length - 1));
  }

  #lineTo(end: number): Line {
    return { text: this.#text.slice(this.#line, end), start: this.#line, end };
  }

  #known(piece: Piece, definitions: Definitions, isOpen: boolean): Known {
    const from = definitions.count;
    const before =
      isOpen && piece.kind !== "plain" ? undefined : this.#end.find((known) => isEqual(known, piece, isOpen, from));
    const known = before ?? { ...this.#parsed(piece, definitions, isOpen), piece, from };
    definitions.add(known.defined);
    return { ...known, to: definitions.count };
  }

  #parsed(piece: Piece, definitions: Definitions, isOpen: boolean): Pick<Known, "block" | "defined"> {
    const { kind, start, isApart, container } = piece;
    const source = this.#slice(piece);
    const block: Block = { key: start, source, isApart, isOpen, tokens: null, container: null, code: null };
    if (piece.code !== null) return { block: { ...block, code: this.#codeOf(piece.code) }, defined: {} };
    const said = isOpen ? mended(source) : source;
    const parsed =
      kind === "plain"
        ? null
        : parse(kind === "rows" && container !== null ? rowsOf(said, start, container) : said, definitions.links);
    if (parsed === null) return { block, defined: {} };
    const { tokens, defined } = parsed;
    return { block: { ...block, tokens, container: isPartOf(tokens, kind) ? container : null }, defined };
  }

  #slice({ start, end }: { readonly start: number; readonly end: number }): string {
    return this.#text.slice(start, end).replace(BREAK, "\n");
  }

  #codeOf({ info, start, end, indent }: NonNullable<Piece["code"]>): Block["code"] {
    const text = this.#slice({ start, end });
    return { info, text: indent === 0 ? text : text.replace(new RegExp(`^ {1,${indent}}`, "gm"), "") };
  }

  /** A link may be defined below where it is used: what uses such a one is read once more. */
  #resolved(known: readonly Known[]): Block[] {
    return known.map(({ piece, block, to }) =>
      block.tokens !== null && this.#all.areMissing(block.source, to)
        ? this.#parsed(piece, this.#all, false).block
        : block,
    );
  }
}

function isEqual({ piece, block, from }: Known, other: Piece, isOpen: boolean, definitions: number): boolean {
  const isThere = piece.kind === other.kind && piece.start === other.start && piece.end === other.end;
  const isSame = piece.container?.key === other.container?.key && piece.isApart === other.isApart;
  return isThere && isSame && block.isOpen === isOpen && from === definitions;
}

/** Rows with the head of their table. */
function rowsOf(source: string, start: number, { key, head, columns }: Container): string {
  return key === start ? fitted(source, columns) : `${head}\n${fitted(source, columns)}`;
}

/** Whether it is what it was taken for: one item of a list, or a table. */
function isPartOf(tokens: readonly Token[], kind: Piece["kind"]): boolean {
  const outer = tokens.filter(({ level, nesting }) => level < 2 && nesting === 1).map(({ type }) => type);
  if (kind === "rows")
    return (
      outer[0] === "table_open" &&
      outer.filter((type) => type === "table_open").length === 1 &&
      tokens.at(-1)?.type === "table_close"
    );
  return kind === "item" && outer.length === 2 && outer[1] === "list_item_open" && tokens.at(-1)?.level === 0;
}
