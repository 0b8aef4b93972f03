import { describe, expect, it } from "vitest";
import type { Session } from "../../src/gateway/shapes.ts";
import { grouped, matches } from "../../src/sidebar/groups.ts";

const NOW = new Date(2026, 2, 20, 10).getTime() / 1000;
const chat = (id: string, date: Date): Session => ({
  ...{ id, agent: "main", title: id, chatId: 1, channelId: 1, createdAt: 0, updatedAt: date.getTime() / 1000 },
  ...{ archived: false, provider: null, model: null, messageCount: 1 },
});

describe("chats", () => {
  it("stand under the day of their last change, by the calendar and not by hours", () => {
    const groups = grouped(
      [
        chat("in an hour", new Date(2026, 2, 20, 11)),
        chat("this night", new Date(2026, 2, 20, 0, 1)),
        chat("last night", new Date(2026, 2, 19, 23, 59)),
        chat("a week ago", new Date(2026, 2, 13, 1)),
        chat("eight days ago", new Date(2026, 2, 12, 23)),
        chat("in January", new Date(2026, 0, 31)),
        chat("in January, too", new Date(2026, 0, 1)),
        chat("last year", new Date(2025, 0, 5)),
      ],
      NOW,
    );
    expect(groups.map(({ name, sessions }) => [name.kind, sessions.map(({ id }) => id)])).toEqual([
      ["today", ["in an hour", "this night"]],
      ["yesterday", ["last night"]],
      ["week", ["a week ago"]],
      ["month", ["eight days ago"]],
      ["past", ["in January", "in January, too"]],
      ["past", ["last year"]],
    ]);
    expect(new Set(groups.map(({ key }) => key)).size).toBe(groups.length);
  });

  it("are found by parts of their words, in any case and with or without accents", () => {
    expect(matches("Ein schönes Café", "CAFE schon")).toBe(true);
    expect(matches("Ein schönes Café", "café tee")).toBe(false);
    expect(matches("anything", "")).toBe(true);
  });
});
