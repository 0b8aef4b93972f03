/** How high a turn will be about, before it is drawn: the better the guess, the steadier the scroll bar. Pure. */

import { MOST_SHOWN_CHARS } from "./plain-text.ts";
import type { Turn } from "../state/turns.ts";

const LINE = 26;
const AROUND = 112;
const STEP = 36;
const FILE = 72;

export function guessedHeight(turn: Turn, width: number): number {
  const perLine = Math.max(24, width / 7.6);
  let lines = (turn.user === null ? 0 : 1) + Math.min(turn.user?.text.length ?? 0, MOST_SHOWN_CHARS) / perLine;
  let steps = 0;
  for (const part of turn.parts) {
    if (part.kind === "text") lines += 1 + part.text.length / perLine;
    else steps++;
  }
  return Math.round(AROUND + lines * LINE + Math.min(steps, 4) * STEP + turn.files.length * FILE);
}
