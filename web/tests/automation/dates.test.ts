import { afterEach, describe, expect, it } from "vitest";
import { dateTime, dayKey, dayName, duration, relative } from "../../src/app/dates.ts";
import { speak } from "../../src/i18n/language.ts";

const NOON = new Date(2026, 4, 14, 12).getTime() / 1000;
const HOUR = 3600;
const DAY = 24 * HOUR;

afterEach(() => speak("en"));

describe("moments", () => {
  it("are told from now on, and far ones by their date", () => {
    expect(relative(NOON - 20, NOON)).toBe("now");
    expect(relative(NOON - 5 * 60, NOON)).toBe("5 minutes ago");
    expect(relative(NOON + 3 * HOUR, NOON)).toBe("in 3 hours");
    expect(relative(NOON - 2 * DAY, NOON)).toBe("2 days ago");
    expect(relative(NOON - 30 * DAY, NOON)).toMatch(/2026/);
  });

  it("belong to days, as one says", async () => {
    expect(dayName(NOON - 11 * HOUR, NOON)).toBe("Today");
    expect(dayName(NOON - 13 * HOUR, NOON)).toBe("Yesterday");
    expect(dayName(NOON - 3 * DAY, NOON)).toMatch(/Monday.*11|11.*Monday/);
    expect(dayName(NOON - 400 * DAY, NOON)).toMatch(/2025/);
    expect(dayKey(NOON)).toBe("2026-5-14");
    await speak("de");
    expect(dayName(NOON, NOON)).toBe("Heute");
    expect(relative(NOON - DAY, NOON)).toBe("gestern");
  });

  it("are told in another time zone, also in one that nobody knows", () => {
    const moment = Date.UTC(2026, 0, 1, 23, 30) / 1000;
    expect(dateTime(moment, "Asia/Tokyo")).toMatch(/Jan 2.*8:30|2 Jan.*8:30/);
    expect(dateTime(moment, "Mars/Olympus")).toBe(dateTime(moment));
  });
});

describe("spans", () => {
  it("are as exact as they are short", () => {
    expect([0.0042, 0.25, 5.84, 12.4, 65, 120, 3 * HOUR, 3 * HOUR + 60].map(duration)).toEqual([
      ...["4ms", "250ms", "5.8s", "12s", "1m 5s", "2m", "3h", "3h 1m"],
    ]);
  });
});
