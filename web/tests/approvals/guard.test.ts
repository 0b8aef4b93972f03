import { describe, expect, it } from "vitest";
import { Guard, QUIET_MS } from "../../src/approvals/guard.ts";

describe("a question that has just appeared", () => {
  it("takes neither keys nor presses, and then both", () => {
    const guard = new Guard(1000);
    expect([guard.takesPress(1000 + QUIET_MS - 1), guard.takesPress(1000 + QUIET_MS)]).toEqual([false, true]);
    expect(guard.takesKey(1000 + QUIET_MS)).toBe(true);
    expect(guard.takesKey(1000 + QUIET_MS + 1)).toBe(true);
  });

  it("waits for the end of what is being typed", () => {
    const guard = new Guard(0);
    expect([100, 300, 550, 800].map((at) => guard.takesKey(at))).toEqual([false, false, false, false]);
    expect(guard.takesKey(800 + QUIET_MS)).toBe(true);
  });

  it("waits again when it gets the keyboard, and when it has moved under the pointer", () => {
    const guard = new Guard(0);
    guard.focused(5000);
    expect([guard.takesKey(5100), guard.takesPress(5100)]).toEqual([false, true]);
    guard.moved(9000);
    expect([guard.takesKey(9100), guard.takesPress(9100)]).toEqual([false, false]);
  });
});
