/**
 * What those who listen are told of a turn, pure. Few words: that an answer begins, a tool now and then, and the answer once
 * it is whole.
 */

import { isOver, type Turn } from "../state/turns.ts";
import { markdownOf } from "./blocks.ts";

export type Saying =
  | { readonly kind: "begins" }
  | { readonly kind: "tool"; readonly name: string }
  | { readonly kind: "answer"; readonly text: string }
  | { readonly kind: "stopped"; readonly reason: string | null; readonly text: string }
  | { readonly kind: "failed"; readonly code: string; readonly message: string };

/** Between two tools that are named. */
export const TOOL_EVERY_MS = 8_000;

interface Heard {
  readonly hasBegun: boolean;
  readonly tools: number;
}

/** Follows the turns of one conversation. Turns that were over when they were first seen are history, and not told. */
export class Announcements {
  readonly #heard = new Map<string, Heard>();
  #lastTool = Number.NEGATIVE_INFINITY;

  /** What to say of a turn that is now like this, at `now` milliseconds. */
  hear(turn: Turn, now: number): Saying[] {
    const heard = this.#heard.get(turn.id);
    const isNow = !isOver(turn);
    if (heard === undefined && !isNow) return [];
    const tools = turn.parts.filter(({ kind }) => kind === "tool");
    const begins = turn.status === "running" && heard?.hasBegun !== true;
    const said: Saying[] = begins ? [{ kind: "begins" }] : [];
    const tool = tools.at(-1);
    if (isNow && tool?.kind === "tool" && tools.length > (heard?.tools ?? 0) && now - this.#lastTool >= TOOL_EVERY_MS) {
      this.#lastTool = now;
      said.push({ kind: "tool", name: tool.name });
    }
    if (isNow) this.#heard.set(turn.id, { hasBegun: begins || heard?.hasBegun === true, tools: tools.length });
    else {
      this.#heard.delete(turn.id);
      if (heard?.hasBegun === true || turn.status !== "aborted") said.push(endOf(turn)); // several wait, and all are stopped
    }
    return said;
  }
}

function endOf(turn: Turn): Saying {
  if (turn.status === "failed") {
    return { kind: "failed", code: turn.error?.code ?? "", message: turn.error?.message ?? "" };
  }
  const text = markdownOf(turn.parts);
  return turn.status === "done" ? { kind: "answer", text } : { kind: "stopped", reason: turn.reason, text };
}
