/**
 * What is said of the connection, pure. Short drops are not worth a word; and while it is tried again and again, the reason
 * of the last failure stays, so that nothing flickers.
 */

import type { ConnectionState, OfflineReason, RefusedReason } from "../gateway/connection.ts";

export type Line =
  | { readonly kind: "connecting" }
  | { readonly kind: "offline"; readonly reason: OfflineReason; readonly retryAt: number | null }
  | { readonly kind: "refused"; readonly reason: RefusedReason };

/** How long trouble lasts before it is told. */
export const CALM_MS = 1_000;

export interface LineState {
  readonly line: Line | null;
  /** When the trouble began, in epoch milliseconds; null while there is none. */
  readonly since: number | null;
}

export const NO_LINE: LineState = { line: null, since: null };

export function lineAfter(before: LineState, state: ConnectionState, now: number): LineState {
  const since = before.since ?? now;
  switch (state.phase) {
    case "online":
    case "closed":
      return NO_LINE;
    case "connecting":
      return {
        line: before.line?.kind === "offline" ? { ...before.line, retryAt: null } : { kind: "connecting" },
        since,
      };
    case "offline":
      return { line: { kind: "offline", reason: state.reason, retryAt: state.retryAt }, since };
    case "refused":
      return { line: { kind: "refused", reason: state.reason }, since };
  }
}

/** In how many milliseconds it is to be shown; 0 for now, null for never. A refusal needs somebody: it does not wait. */
export function shownIn({ line, since }: LineState, now: number): number | null {
  if (line === null || since === null) return null;
  return line.kind === "refused" ? 0 : Math.max(0, since + CALM_MS - now);
}
