import { describe, expect, it } from "vitest";
import { byDay } from "../../src/notifications/days.ts";
import { chatOf, excerpt, sourceOf } from "../../src/notifications/place.ts";

const told = (fields: object): Parameters<typeof sourceOf>[0] => ({
  ...{ type: "task", sourceId: "x", sessionId: "s", chatId: null },
  ...fields,
});

describe("a notification", () => {
  it("leads to what it is about", () => {
    expect(sourceOf(told({}))).toEqual({ name: "automation", tab: "tasks", id: "x" });
    expect(sourceOf(told({ type: "cron" }))).toEqual({ name: "automation", tab: "cron", id: "x" });
    expect(sourceOf(told({ type: "webhook" }))).toEqual({ name: "automation", tab: "webhooks", id: "x" });
    expect(sourceOf(told({ type: "system", chatId: 1 }))).toEqual({ name: "chat", session: "s" });
    expect(sourceOf(told({ type: "system" }))).toBeNull();
  });

  it("leads to a chat only where it was said in one", () => {
    expect(chatOf(told({ chatId: 1 }))).toEqual({ name: "chat", session: "s" });
    expect(chatOf(told({}))).toBeNull();
    expect(chatOf(told({ chatId: 1, sessionId: null }))).toBeNull();
  });
});

describe("an excerpt", () => {
  it("is one line without the signs of Markdown", () => {
    const text = "# Result\n\n- All is **well**, see [the log](https://x.example) and `a_b`\n\n```sh\nls\n```\n2. two";
    expect(excerpt(text)).toBe("Result All is well, see the log and a_b ls two");
  });

  it("is cut between characters", () => {
    expect(excerpt("🚀".repeat(10), 4)).toBe("🚀🚀🚀…");
    expect(excerpt("short", 5)).toBe("short");
    expect(excerpt("a b".repeat(1000), 3)).toBe("a…");
  });
});

describe("a list by days", () => {
  it("keeps its order, and begins a day where the date is another one", () => {
    const at = (day: number, hour: number): { createdAt: number } => ({
      createdAt: new Date(2026, 2, day, hour).getTime() / 1000,
    });
    const items = [at(3, 23), at(3, 0), at(2, 23), at(1, 12)];
    const days = byDay(items);
    expect(days.map(({ key }) => key)).toEqual(["2026-3-3", "2026-3-2", "2026-3-1"]);
    expect(days.flatMap((day) => day.items)).toEqual(items);
    expect(byDay([])).toEqual([]);
  });
});
