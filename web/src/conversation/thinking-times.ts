/** How long agents thought, as this page saw it: the gateway does not tell. Pure. */

import { isOver, type Turn } from "../state/turns.ts";

interface Span {
  readonly begin: number;
  readonly end: number | null;
}

export class ThinkingTimes {
  readonly #spans = new Map<string, Span>();

  /** The turn is like this now, at `now` milliseconds. */
  watch(turn: Turn, now: number): void {
    turn.parts.forEach(({ kind }, place) => {
      if (kind !== "thinking") return;
      const key = keyOf(turn.id, place);
      const known = this.#spans.get(key);
      const hasEnded = isOver(turn) || place < turn.parts.length - 1;
      if (known === undefined && !hasEnded) this.#spans.set(key, { begin: now, end: null });
      else if (known?.end === null && hasEnded) this.#spans.set(key, { ...known, end: now });
    });
  }

  /** In seconds; null if its beginning or its end was not seen. `place`: of the part among the turn's. */
  of(turnId: string, place: number): number | null {
    const span = this.#spans.get(keyOf(turnId, place));
    return span?.end == null ? null : (span.end - span.begin) / 1000;
  }
}

const keyOf = (turnId: string, place: number): string => `${turnId} ${place}`;
