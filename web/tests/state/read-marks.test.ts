import { describe, expect, it } from "vitest";
import { ReadMarks } from "../../src/state/read-marks.ts";

function storage(): Storage {
  const kept = new Map<string, string>();
  return {
    ...{ length: 0, clear: () => kept.clear(), key: () => null },
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}
const chat = (id: string, messageCount: number): { id: string; messageCount: number } => ({ id, messageCount });

describe("read marks", () => {
  it("begin with everything read, and from then on with what was seen", () => {
    const kept = storage();
    const marks = new ReadMarks("http://a", kept);
    expect(marks.isUnread(chat("1", 4))).toBe(false);
    marks.begin([chat("1", 4)]);
    expect(marks.isUnread(chat("1", 4))).toBe(false);
    expect(marks.isUnread(chat("1", 6))).toBe(true);
    expect(marks.isUnread(chat("new since", 1))).toBe(true);
    marks.see(chat("1", 6));
    expect(marks.isUnread(chat("1", 6))).toBe(false);
    const later = new ReadMarks("http://a", kept);
    later.begin([chat("1", 9)]);
    expect([later.isUnread(chat("1", 6)), later.isUnread(chat("1", 9))]).toEqual([false, true]);
  });

  it("are kept for each gateway, and do without a storage or with a broken one", () => {
    const kept = storage();
    new ReadMarks("http://a", kept).begin([chat("1", 4)]);
    kept.setItem("sygen:read:http://b", "{broken");
    for (const marks of [new ReadMarks("http://b", kept), new ReadMarks("http://a", null)]) {
      marks.begin([chat("1", 4)]);
      expect(marks.isUnread(chat("1", 5))).toBe(true);
    }
  });
});
