import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  DAYS_OF_MONTH,
  expressionOf,
  presetOf,
  presetOfKind,
  PRESET_KINDS,
  STEPS,
} from "../../src/automation/schedule.ts";
import { clock, scheduleWords } from "../../src/automation/schedule-words.ts";
import { speak } from "../../src/i18n/language.ts";

const pad = (number: number): string => String(number).padStart(2, "0");
const times = fc.tuple(fc.nat(23), fc.nat(59)).map(([hour, minute]) => `${pad(hour)}:${pad(minute)}`);
const presets = fc.oneof(
  fc.record({ kind: fc.constant("minutes" as const), every: fc.constantFrom(...STEPS) }),
  fc.record({ kind: fc.constant("hourly" as const), minute: fc.nat(59) }),
  fc.record({ kind: fc.constant("daily" as const), time: times }),
  fc.record({ kind: fc.constant("weekdays" as const), time: times }),
  fc.record({ kind: fc.constant("weekly" as const), day: fc.nat(6), time: times }),
  fc.record({ kind: fc.constant("monthly" as const), day: fc.constantFrom(...DAYS_OF_MONTH), time: times }),
);

describe("a usual schedule", () => {
  it("is found again in its five fields", () => {
    fc.assert(
      fc.property(presets, (preset) => {
        expect(presetOf(expressionOf(preset))).toEqual(preset);
      }),
    );
  });

  it.each([
    ["30 7 * * 1-5", { kind: "weekdays", time: "07:30" }],
    [" 0  9 * * mon-fri ", { kind: "weekdays", time: "09:00" }],
    ["5 0 * * 7", { kind: "weekly", day: 0, time: "00:05" }],
    ["0 12 l * *", { kind: "monthly", day: "L", time: "12:00" }],
  ])("is also found as others write it: %s", (expression, preset) => {
    expect(presetOf(expression)).toEqual(preset);
  });

  it.each([
    "",
    "* * * * *",
    "*/7 * * * *",
    "60 * * * *",
    "0 24 * * *",
    "0 8 32 * *",
    "0 8 1 * 1",
    "0 8 * 2 *",
    "0 8 * * 8",
  ])("is not seen where another one is meant: %j", (expression) => expect(presetOf(expression)).toBeNull());

  it("keeps its time of day when it becomes another one", () => {
    for (const kind of PRESET_KINDS) {
      const next = presetOfKind(kind, { kind: "daily", time: "17:45" });
      expect(next.kind).toBe(kind);
      if ("time" in next) expect(next.time).toBe("17:45");
      expect(presetOf(expressionOf(presetOfKind(kind, null)))?.kind).toBe(kind);
    }
  });

  it("has words in each language", async () => {
    expect(scheduleWords("*/15 * * * *")).toBe("Every 15 minutes");
    expect(scheduleWords("5 * * * *")).toBe("Every hour at :05");
    expect(scheduleWords("0 8 * * 0")).toBe(`Every Sunday at ${clock("08:00")}`);
    expect(scheduleWords("0 8 LW * *")).toBeNull();
    await speak("de");
    expect(scheduleWords("30 18 * * 1")).toBe("Jede Woche am Montag um 18:30");
    await speak("en");
  });
});
