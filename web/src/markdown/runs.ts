/** Blocks in pages, so that of a text with thousands of them only the last page is looked at when it grows. */

import type { Block } from "./growing.ts";
import type { Container } from "./pieces.ts";

/** Blocks that are drawn together: those of one list or table, or some that are by themselves. */
export interface Run {
  readonly key: string;
  readonly container: Container | null;
  readonly blocks: readonly Block[];
}

const PAGE = 64;

export function paged<T>(all: readonly T[]): (readonly T[])[] {
  const pages: (readonly T[])[] = [];
  for (let at = 0; at < all.length; at += PAGE) pages.push(all.slice(at, at + PAGE));
  return pages;
}

export function runsOf(blocks: readonly Block[]): Run[] {
  const runs: (Run & { readonly blocks: Block[] })[] = [];
  for (const block of blocks) {
    const { container } = block;
    const last = runs.at(-1);
    const goesOn =
      last?.container?.key === container?.key && (container !== null || (last?.blocks.length ?? PAGE) < PAGE);
    if (last !== undefined && goesOn) last.blocks.push(block);
    else runs.push({ key: `${container?.kind ?? "flow"} ${block.key}`, container, blocks: [block] });
  }
  return runs;
}
