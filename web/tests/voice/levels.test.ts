import { expect, it } from "vitest";
import { clock, levelOf, withLevel } from "../../src/voice/levels.ts";

it("silence has no level, and the loudest sound the highest", () => {
  expect(levelOf(new Uint8Array(64).fill(128))).toBe(0);
  expect(levelOf(new Uint8Array(64).map((_, at) => (at % 2 === 0 ? 0 : 255)))).toBe(1);
  expect(levelOf(new Uint8Array(0))).toBe(0);
});

it("keeps the last levels", () => expect(withLevel([1, 2, 3], 4, 3)).toEqual([2, 3, 4]));

it("tells time as clocks do", () => expect([0, 9.9, 61, 600].map(clock)).toEqual(["0:00", "0:09", "1:01", "10:00"]));
