/**
 * Where a text that grows can be cut: line by line, and never thinking again about a line that has been read. A piece is a block of the
 * outermost level, one item of a list, or some rows of a table, so that little has to be parsed again while a text grows.
 */

/** Pieces of one list or of one table are drawn together. */
export interface Container {
  readonly key: number;
  readonly kind: "bullets" | "numbers" | "table";
  /** The number of the first item. */
  readonly first: number;
  /** Of a table, its head with the line below it, without which no row can be read. */
  readonly head: string;
  readonly columns: number;
}

/** `plain` is shown as it is written. */
export interface Piece {
  readonly kind: "flow" | "item" | "rows" | "code" | "plain";
  readonly start: number;
  readonly end: number;
  readonly container: Container | null;
  /** Of an item: there is an empty line before it. */
  readonly isApart: boolean;
  readonly code: Code | null;
}

interface Code {
  /** What stands behind the fence. */
  readonly info: string;
  readonly start: number;
  readonly end: number;
  readonly indent: number;
}

export interface Line {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Longer pieces are shown as they are written; no paragraph that is read is as long. Code in an item has no weight. */
const HEAVIEST = 16 * 1024;
const LONGEST = 128 * 1024;
/** With more columns it is no table, and rows after so many cells are shown as they are written. */
const MOST_COLUMNS = 100;
const MOST_CELLS = 5_000;
const CELLS_OF_A_PIECE = 200;
const LENGTH_OF_PLAIN = 8 * 1024;

const BLANK = /^[ \t]*$/;
const HEADING = /^ {0,3}#{1,6}(?:[ \t]|$)/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:_[ \t]*){3,}|(?:\*[ \t]*){3,})$/;
const UNDERLINE = /^ {0,3}(?:=+|-+)[ \t]*$/;
const QUOTE = /^ {0,3}>/;
const FENCE = /^( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$/;
const ITEM = /^( {0,3})([-+*]|\d{1,9}[.)])([ \t]+(?=[^ \t])|[ \t]*$)/;
const BELOW_HEAD = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

interface Fence {
  readonly mark: string;
  readonly indent: number;
  readonly info: string;
}

interface Marker {
  /** The bullet, or the sign after the number. */
  readonly mark: string;
  readonly number: number | null;
  /** The column at which the item's content begins. */
  readonly content: number;
  readonly rest: string;
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly weight: number;
}

/** The piece that is not over yet. */
export type Open = Span &
  (
    | { readonly kind: "paragraph"; readonly last: Line }
    | { readonly kind: "quote" | "indented" | "single" }
    | { readonly kind: "code"; readonly fence: Fence; readonly codeStart: number }
    | {
        readonly kind: "item";
        readonly marker: Marker;
        readonly container: Container;
        readonly isApart: boolean;
        /** The fence of code in it that is open. */
        readonly fence: Fence | null;
        readonly isAfterBlank: boolean;
      }
    | {
        readonly kind: "rows";
        readonly container: Container;
        /** Of the whole table, and of this piece. */
        readonly cells: number;
        readonly cellsHere: number;
      }
  );

/** Reads a line after what is open. Pieces that are over by it are added to `over`. */
export function read(open: Open | null, line: Line, over: Piece[]): Open | null {
  if (open === null) return begin(line);
  const next = goOn(open, line, over);
  if (next !== undefined) return next;
  over.push(...piecesOf(open));
  return begin(line);
}

/** What is open, as if the text ended here. */
export function piecesOf(open: Open): Piece[] {
  const { start, end } = open;
  const nothing = { start, end, container: null, isApart: false, code: null };
  if (open.kind === "code") {
    const { info, indent } = open.fence;
    return [{ ...nothing, kind: "code", code: { info, start: Math.min(open.codeStart, end), end, indent } }];
  }
  if (open.weight > HEAVIEST || end - start > LONGEST || (open.kind === "rows" && open.cells > MOST_CELLS)) {
    const pieces: Piece[] = [];
    for (let at = start; at < end; at += LENGTH_OF_PLAIN) {
      pieces.push({ ...nothing, kind: "plain", start: at, end: Math.min(at + LENGTH_OF_PLAIN, end) });
    }
    return pieces;
  }
  if (open.kind === "item") return [{ ...nothing, kind: "item", container: open.container, isApart: open.isApart }];
  if (open.kind === "rows") return [{ ...nothing, kind: "rows", container: open.container }];
  return [{ ...nothing, kind: "flow" }];
}

function begin(line: Line): Open | null {
  const { text, start, end } = line;
  if (BLANK.test(text)) return null;
  const span = { start, end, weight: text.length + 1 };
  if (widthOf(text) >= 4) return { ...span, kind: "indented" };
  const fence = fenceOf(text);
  if (fence !== null) return { ...span, kind: "code", fence, codeStart: Infinity };
  if (HEADING.test(text) || RULE.test(text)) return { ...span, kind: "single" };
  if (QUOTE.test(text)) return { ...span, kind: "quote" };
  const marker = markerOf(text);
  return marker === null ? { ...span, kind: "paragraph", last: line } : item(line, marker, null, false);
}

/** Undefined if the line does not belong to what is open; null if that is over with the line. */
function goOn(open: Open, line: Line, over: Piece[]): Open | null | undefined {
  const { text, end } = line;
  const isBlank = BLANK.test(text);
  const more = { end, weight: open.weight + text.length + 1 };
  switch (open.kind) {
    case "single":
      return undefined;
    case "code":
      if (!isClosing(text, open.fence)) return { ...open, ...more, codeStart: Math.min(open.codeStart, line.start) };
      over.push(...piecesOf(open).map((piece) => ({ ...piece, end })));
      return null;
    case "indented":
      if (isBlank) return open;
      return widthOf(text) >= 4 ? { ...open, ...more } : undefined;
    case "quote":
      if (QUOTE.test(text)) return { ...open, ...more };
      return isBlank || isBeginning(text) ? undefined : { ...open, ...more };
    case "rows":
      if (isBlank || isBeginning(text)) return undefined;
      return row(open, line, over);
    case "item":
      return inItem(open, line, over);
    case "paragraph": {
      if (isBlank) return undefined;
      if (UNDERLINE.test(text) && widthOf(text) < 4) {
        over.push(...piecesOf({ ...open, ...more }));
        return null;
      }
      const columns = columnsOf(text);
      if (BELOW_HEAD.test(text) && open.last.text.includes("|") && columns === columnsOf(open.last.text)) {
        return table(open, line, columns, over) ?? { ...open, ...more, last: line };
      }
      const marker = markerOf(text);
      const isItem = marker !== null && marker.rest !== "" && (marker.number ?? 1) === 1;
      return isItem || isBeginningOfBlock(text) ? undefined : { ...open, ...more, last: line };
    }
  }
}

function item(line: Line, marker: Marker, goesOn: Container | null, isApart: boolean): Open {
  const { text, start, end } = line;
  const kind = marker.number === null ? "bullets" : "numbers";
  return {
    ...{ kind: "item", start, end, weight: text.length + 1, marker, isApart, isAfterBlank: false },
    fence: fenceOf(marker.rest),
    container: goesOn ?? { key: start, kind, first: marker.number ?? 1, head: "", columns: 0 },
  };
}

function inItem(open: Open & { kind: "item" }, line: Line, over: Piece[]): Open | undefined {
  const { text, end } = line;
  if (BLANK.test(text)) return { ...open, isAfterBlank: true };
  const { marker, fence } = open;
  const width = widthOf(text);
  if (width >= marker.content) {
    const inside = " ".repeat(width - marker.content) + text.trimStart();
    const weight = open.weight + (fence === null ? text.length + 1 : 0);
    const isOver = fence !== null && (isClosing(inside, fence) || width - marker.content < fence.indent);
    return {
      ...open,
      end,
      weight,
      isAfterBlank: false,
      fence: fence === null ? fenceOf(inside) : isOver ? null : fence,
    };
  }
  const next = RULE.test(text) ? null : markerOf(text);
  if (next !== null) {
    const isSame = next.mark === marker.mark && (next.number === null) === (marker.number === null);
    over.push(...piecesOf(open));
    return item(line, next, isSame ? open.container : null, isSame && open.isAfterBlank);
  }
  if (open.isAfterBlank || fence !== null || isBeginningOfBlock(text)) return undefined;
  return { ...open, end, weight: open.weight + text.length + 1 };
}

/** Null if it has too many columns. The line before, which is its head, is no longer part of the paragraph. */
function table(open: Open & { kind: "paragraph" }, below: Line, columns: number, over: Piece[]): Open | null {
  if (columns > MOST_COLUMNS) return null;
  const { last } = open;
  const before = open.weight - last.text.length - 1;
  if (last.start > open.start) over.push(...piecesOf({ ...open, end: last.start - 1, weight: before }));
  const head = `${last.text}\n${below.text}`;
  const container: Container = { key: last.start, kind: "table", first: 1, head, columns };
  const span = { start: last.start, end: below.end, weight: head.length };
  return { ...span, kind: "rows", container, cells: columns, cellsHere: columns };
}

function row(open: Open & { kind: "rows" }, line: Line, over: Piece[]): Open {
  const cells = open.cells + open.container.columns;
  const weight = line.text.length + 1;
  const isOfNext =
    open.cellsHere >= CELLS_OF_A_PIECE ||
    open.weight + weight > HEAVIEST ||
    (cells > MOST_CELLS && open.cells <= MOST_CELLS);
  if (!isOfNext) {
    return {
      ...open,
      end: line.end,
      weight: open.weight + weight,
      cells,
      cellsHere: open.cellsHere + open.container.columns,
    };
  }
  over.push(...piecesOf(open));
  return { ...open, start: line.start, end: line.end, weight, cells, cellsHere: open.container.columns };
}

const isBeginningOfBlock = (text: string): boolean =>
  HEADING.test(text) || RULE.test(text) || QUOTE.test(text) || FENCE.test(text);

const isBeginning = (text: string): boolean => isBeginningOfBlock(text) || ITEM.test(text);

function fenceOf(text: string): Fence | null {
  const [, indent = "", mark = "", info = ""] = FENCE.exec(text) ?? [];
  return mark === "" ? null : { mark, indent: indent.length, info };
}

function isClosing(text: string, { mark }: Fence): boolean {
  const found = /^ {0,3}(`{3,}|~{3,})[ \t]*$/.exec(text)?.[1] ?? "";
  return found.startsWith(mark);
}

function markerOf(text: string): Marker | null {
  const found = ITEM.exec(text);
  if (found === null) return null;
  const [whole, indent = "", sign = "", gap = ""] = found;
  const wide = widthOf(gap, indent.length + sign.length);
  const rest = text.slice(whole.length);
  const inner = rest === "" || wide > 4 ? 1 : wide; // what is farther away is code
  const number = sign.length > 1 ? Number(sign.slice(0, -1)) : null;
  return { mark: sign.slice(-1), number, content: indent.length + sign.length + inner, rest };
}

/** How many columns of white space a text begins with, if it stands at column `from`. */
function widthOf(text: string, from = 0): number {
  let column = from;
  for (const sign of text) {
    if (sign === " ") column += 1;
    else if (sign === "\t") column += 4 - (column % 4);
    else break;
  }
  return column - from;
}

/** Rows of a table with no more cells than it has columns: what is too much, as of a `|` in code, stays in the last one and is not left out. */
export function fitted(rows: string, columns: number): string {
  return rows
    .split("\n")
    .map((line) => {
      if (columnsOf(line) <= columns) return line;
      const [, before = "", inner = "", after = ""] = /^(\s*\|?)(.*?)((?:(?<!\\)\|)?\s*)$/.exec(line) ?? [];
      let pipes = 0;
      return before + inner.replace(/(?<!\\)\|/g, () => (++pipes < columns ? "|" : "\\|")) + after;
    })
    .join("\n");
}

function columnsOf(text: string): number {
  const inner = text
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return (inner.match(/(?<!\\)\|/g)?.length ?? 0) + 1;
}
