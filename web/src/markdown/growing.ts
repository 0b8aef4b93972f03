/**
 * A text that grows, as blocks. Only its end is parsed again: what is settled stays the same object, so that it is not drawn
 * again either. When the text is whole it is parsed once more, since a link may be defined below where it is used.
 */

import type { Token } from "markdown-it";
import { mended } from "./mended.ts";
import { parse, type References } from "./parser.ts";

/** `source` is what is shown of a block that is too long to be looked into. */
export interface Block {
  readonly key: number;
  readonly source: string;
  readonly tokens: readonly Token[] | null;
  /** It may become another one with what follows. */
  readonly isOpen: boolean;
}

/** An end that is longer is shown as it is written; no paragraph that is read is. */
const LONGEST_END = 64 * 1024;
/** A longer text is not parsed as a whole. */
const LONGEST_WHOLE = 256 * 1024;

export class GrowingMarkdown {
  #text = "";
  #settled: readonly Block[] = [];
  /** Where in the text the end begins. */
  #end = 0;
  #references: References = {};
  #shown: readonly Block[] = [];
  #isWhole = false;

  /** The blocks of `text`, which is the last one and more, or another one. */
  read(text: string, isGrowing: boolean): readonly Block[] {
    if (text === this.#text && this.#isWhole === !isGrowing) return this.#shown;
    if (!text.startsWith(this.#text)) this.#forget();
    this.#text = text;
    this.#isWhole = !isGrowing;
    if (!isGrowing && text.length <= LONGEST_WHOLE) this.#readWhole();
    else this.#readEnd(isGrowing);
    return this.#shown;
  }

  #forget(): void {
    this.#settled = [];
    this.#end = 0;
    this.#references = {};
  }

  #readWhole(): void {
    const known = new Map(this.#shown.map((block) => [block.key, block]));
    this.#forget();
    const lines = lineStarts(this.#text);
    const blocks = parse(this.#text, this.#references);
    this.#shown = blocks.map(({ tokens, firstLine, endLine }): Block => {
      const key = lines[firstLine] ?? 0;
      const source = this.#text.slice(key, lines[endLine] ?? this.#text.length);
      const before = known.get(key);
      const isSame = before?.isOpen === false && before.source.trimEnd() === source.trimEnd() && !/[[\]]/.test(source);
      return isSame ? before : { key, source, tokens, isOpen: false };
    });
  }

  #readEnd(isGrowing: boolean): void {
    const end = this.#text.slice(this.#end);
    if (end.length > LONGEST_END) {
      this.#shown = [...this.#settled, ...asWritten(end, this.#end)];
      return;
    }
    const lines = lineStarts(end);
    const parsed = parse(isGrowing ? mended(end) : end, this.#references);
    const open = openBlocks(parsed, lines.length - 1);
    const blocks = parsed.map(({ tokens, firstLine, endLine }, at): Block => {
      const [from, to] = [lines[firstLine] ?? 0, lines[endLine] ?? end.length];
      return { key: this.#end + from, source: end.slice(from, to), tokens, isOpen: at >= parsed.length - open };
    });
    this.#shown = [...this.#settled, ...blocks];
    const next = parsed.length > open ? lines[parsed[parsed.length - open]?.firstLine ?? 0] : undefined;
    if (next === undefined || next === 0) return;
    this.#settled = [...this.#settled, ...blocks.slice(0, -open)];
    this.#end += next;
  }
}

/** How many blocks at the end may still change: the last one, and with an unfinished line of its own the one before: `2` may become `2. and more`. */
function openBlocks(blocks: readonly { readonly firstLine: number }[], lastLine: number): number {
  return (blocks.at(-1)?.firstLine ?? 0) >= lastLine ? 2 : 1;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

const PIECE = 8 * 1024;

/** In pieces, so that a text that grows touches only the last one. */
function asWritten(text: string, from: number): Block[] {
  const blocks: Block[] = [];
  for (let at = 0; at < text.length; at += PIECE) {
    blocks.push({ key: from + at, source: text.slice(at, at + PIECE), tokens: null, isOpen: at + PIECE > text.length });
  }
  return blocks;
}
