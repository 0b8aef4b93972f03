/** The parts of an answer as they are drawn, pure: tools in a row are one block of steps. */

import type { Part, ToolPart } from "../state/turns.ts";

export type Block =
  | { readonly kind: "text"; readonly key: string; readonly text: string }
  | { readonly kind: "thinking"; readonly key: string; readonly text: string; readonly place: number }
  | { readonly kind: "steps"; readonly key: string; readonly tools: readonly ToolPart[] };

/** The key is the place of the first part: it stays while an answer grows. */
export function blocksOf(parts: readonly Part[]): Block[] {
  const blocks: Block[] = [];
  parts.forEach((part, place) => {
    const last = blocks.at(-1);
    if (part.kind === "text") blocks.push({ ...part, key: `text${place}` });
    else if (part.kind === "thinking") blocks.push({ ...part, key: `thinking${place}`, place });
    else if (last?.kind === "steps") {
      blocks[blocks.length - 1] = { ...last, tools: [...last.tools, part] };
    } else blocks.push({ kind: "steps", key: `steps${place}`, tools: [part] });
  });
  return blocks;
}

/** The whole answer as Markdown: what stood apart stays apart. */
export function markdownOf(parts: readonly Part[]): string {
  const texts = parts.flatMap((part) => (part.kind === "text" ? [part.text.trim()] : []));
  return texts.filter((text) => text !== "").join("\n\n");
}

export type Step = { readonly kind: "tool"; readonly place: number; readonly tool: ToolPart } | Folded;

interface Folded {
  readonly kind: "folded";
  readonly place: number;
  readonly tools: readonly ToolPart[];
}

/** Fewer are not worth folding. */
const LEAST_FOLDED = 3;

/**
 * The lines of some steps. While one runs all are seen; then those that went well fold together, and those that failed stay
 * where they were.
 */
export function stepsOf(tools: readonly ToolPart[]): Step[] {
  const all = tools.map((tool, place): Step => ({ kind: "tool", place, tool }));
  if (tools.some(({ isRunning }) => isRunning)) return all;
  const steps: Step[] = [];
  let well: ToolPart[] = [];
  const fold = (end: number): void => {
    const place = end - well.length;
    if (well.length >= LEAST_FOLDED) steps.push({ kind: "folded", place, tools: well });
    else steps.push(...all.slice(place, end));
    well = [];
  };
  tools.forEach((tool, place) => {
    if (!tool.isError) {
      well.push(tool);
      return;
    }
    fold(place);
    steps.push({ kind: "tool", place, tool });
  });
  fold(tools.length);
  return steps;
}
