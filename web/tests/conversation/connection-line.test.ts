import { describe, expect, it } from "vitest";
import { CALM_MS, lineAfter, NO_LINE, shownIn } from "../../src/conversation/connection-line.ts";
import type { ConnectionState } from "../../src/gateway/connection.ts";

const lost: ConnectionState = { phase: "offline", reason: "line_lost", retryAt: 9_000 };
const trying: ConnectionState = { phase: "connecting", attempt: 1 };

describe("the line about the connection", () => {
  it("does not flash at a short drop", () => {
    const dropped = lineAfter(NO_LINE, lost, 5_000);
    expect(shownIn(dropped, 5_000)).toBe(CALM_MS);
    expect(shownIn(dropped, 5_400)).toBe(CALM_MS - 400);
    expect(shownIn(lineAfter(dropped, { phase: "closed" }, 5_500), 5_500)).toBeNull();
  });

  it("counts from the beginning of the trouble, not from the last attempt", () => {
    const again = lineAfter(lineAfter(NO_LINE, lost, 5_000), trying, 5_900);
    expect(shownIn(again, 6_000)).toBe(0);
  });

  it("keeps the reason while it is tried again", () => {
    const again = lineAfter(lineAfter(NO_LINE, lost, 0), trying, 10);
    expect(again.line).toEqual({ kind: "offline", reason: "line_lost", retryAt: null });
    expect(lineAfter(NO_LINE, trying, 0).line).toEqual({ kind: "connecting" });
  });

  it("tells a refusal at once", () => {
    const refused = lineAfter(NO_LINE, { phase: "refused", reason: "wrong_token" }, 7_000);
    expect(refused.line).toEqual({ kind: "refused", reason: "wrong_token" });
    expect(shownIn(refused, 7_000)).toBe(0);
  });
});
