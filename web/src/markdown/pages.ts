/** Blocks in pages, so that of a text with thousands of them only the last page is looked at when it grows. */

import type { Block } from "./growing.ts";
import type { Container } from "./pieces.ts";

/** Blocks that are drawn together: those of one list or table, or some that are by themselves. */
export interface Run {
  readonly key: string;
  readonly container: Container | null;
  readonly blocks: readonly Block[];
}

export interface Page {
  readonly key: number;
  readonly runs: readonly Run[];
}

const PAGE = 32;

export function paged<T>(all: readonly T[]): (readonly T[])[] {
  const pages: (readonly T[])[] = [];
  for (let at = 0; at < all.length; at += PAGE) pages.push(all.slice(at, at + PAGE));
  return pages;
}

/** A list or a table is never on two pages, however long it is. */
export function pagesOf(blocks: readonly Block[]): Page[] {
  const pages: { readonly key: number; readonly runs: (Run & { readonly blocks: Block[] })[]; count: number }[] = [];
  let page = pages[0];
  for (const block of blocks) {
    const { container, key } = block;
    const run = page?.runs.at(-1);
    const isSame = run !== undefined && run.container?.key === container?.key;
    if (page === undefined || (page.count >= PAGE && !(isSame && container !== null))) {
      pages.push((page = { key, runs: [{ key: keyOf(block), container, blocks: [block] }], count: 1 }));
      continue;
    }
    page.count++;
    if (isSame) run.blocks.push(block);
    else page.runs.push({ key: keyOf(block), container, blocks: [block] });
  }
  return pages;
}

const keyOf = ({ container, key }: Block): string => `${container?.kind ?? "flow"} ${key}`;
