/** @tanstack/virtual-core for Preact. */

import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type Range,
  type VirtualItem,
  type VirtualizerOptions,
} from "@tanstack/virtual-core";
import { useCallback, useLayoutEffect, useReducer, useState } from "preact/hooks";

type Options = VirtualizerOptions<HTMLElement, HTMLElement>;
type Given = Omit<Options, "observeElementRect" | "observeElementOffset" | "scrollToFn"> & Partial<Options>;

/** Rows beyond an edge are drawn until they are so high together, in px: an answer can be as long as a book. */
const ENOUGH = 2_000;

/** The component is drawn anew when other rows come into sight, or a row has another height. */
export function useVirtualizer(given: Given): Virtualizer<HTMLElement, HTMLElement> {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const options: Options = {
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    ...given,
    // Preact draws before the browser paints, so that a place and the rows around it change together.
    onChange: () => redraw(undefined),
  };
  const [virtualizer] = useState(() => new Virtualizer(options));
  const rangeExtractor = useCallback((range: Range) => drawnOf(range, virtualizer.measurementsCache), [virtualizer]);
  virtualizer.setOptions({ ...options, rangeExtractor });
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  return virtualizer;
}

/** What is in sight and, on both sides, as many rows as `overscan` says, or fewer that are high enough. */
function drawnOf({ startIndex, endIndex, overscan, count }: Range, rows: readonly VirtualItem[]): number[] {
  const beyond = (from: number, step: 1 | -1): number => {
    let at = from;
    for (let height = 0; height < ENOUGH && Math.abs(at - from) < overscan; height += rows[at]?.size ?? 0) at += step;
    return at;
  };
  const first = Math.max(0, beyond(startIndex, -1));
  const last = Math.min(count - 1, beyond(endIndex, 1));
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}
