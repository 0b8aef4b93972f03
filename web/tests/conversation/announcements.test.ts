import { describe, expect, it } from "vitest";
import { Announcements, TOOL_EVERY_MS } from "../../src/conversation/announcements.ts";
import { ThinkingTimes } from "../../src/conversation/thinking-times.ts";
import { newTurn, type Part, type Turn } from "../../src/state/turns.ts";

const turn = (fields: Partial<Turn>): Turn => ({ ...newTurn("t"), status: "running", ...fields });
const text = (words: string): Part => ({ kind: "text", text: words });

function tool(name: string): Part {
  return {
    ...{ kind: "tool", toolId: name, name, input: null, output: null, isError: false, durationMs: null },
    ...{ isTruncated: false, isRunning: true },
  };
}

describe("announcements", () => {
  it("tell that an answer begins once, and the answer when it is whole", () => {
    const said = new Announcements();
    expect(said.hear(turn({ status: "queued" }), 0)).toEqual([]);
    expect(said.hear(turn({}), 1)).toEqual([{ kind: "begins" }]);
    expect(said.hear(turn({ parts: [text("He")] }), 2)).toEqual([]);
    expect(said.hear(turn({ parts: [text("Hello")] }), 3)).toEqual([]);
    const done = turn({ parts: [text("Hello")], status: "done" });
    expect(said.hear(done, 4)).toEqual([{ kind: "answer", text: "Hello" }]);
    expect(said.hear(done, 5)).toEqual([]);
  });

  it("pass over what was over before", () => {
    expect(new Announcements().hear(turn({ parts: [text("Old")], status: "done" }), 0)).toEqual([]);
  });

  it("name tools sparsely", () => {
    const said = new Announcements();
    said.hear(turn({}), 0);
    const parts = [tool("Bash")];
    expect(said.hear(turn({ parts }), 10)).toEqual([{ kind: "tool", name: "Bash" }]);
    expect(said.hear(turn({ parts }), 20_000)).toEqual([]);
    const more = [...parts, tool("Read")];
    expect(said.hear(turn({ parts: more }), 20_001)).toEqual([{ kind: "tool", name: "Read" }]);
    const most = [...more, tool("Grep")];
    expect(said.hear(turn({ parts: most }), 20_000 + TOOL_EVERY_MS)).toEqual([]);
  });

  it("do not tell of each that waited and was stopped", () => {
    const said = new Announcements();
    said.hear(turn({ status: "queued" }), 0);
    expect(said.hear(turn({ status: "aborted", reason: "abort" }), 1)).toEqual([]);
  });

  it("tell why there is no answer", () => {
    const said = new Announcements();
    said.hear(turn({}), 0);
    const error = { code: "provider_unavailable", message: "Not logged in." };
    expect(said.hear(turn({ status: "failed", error }), 1)).toEqual([{ kind: "failed", ...error }]);
    said.hear(turn({}), 2);
    expect(said.hear(turn({ status: "aborted", reason: "abort" }), 3)).toEqual([
      { kind: "stopped", reason: "abort", text: "" },
    ]);
  });
});

describe("the time of thinking", () => {
  const thought: Part = { kind: "thinking", text: "hm" };

  it("is from its first word to what follows", () => {
    const times = new ThinkingTimes();
    times.watch(turn({ parts: [thought] }), 1_000);
    expect(times.of("t", 0)).toBeNull();
    times.watch(turn({ parts: [thought] }), 3_000);
    times.watch(turn({ parts: [thought, text("So")] }), 4_500);
    times.watch(turn({ parts: [thought, text("So it is")], status: "done" }), 9_000);
    expect(times.of("t", 0)).toBe(3.5);
  });

  it("is not known of what was over before", () => {
    const times = new ThinkingTimes();
    const over = turn({ parts: [thought, text("So")], status: "done" });
    times.watch(over, 1_000);
    times.watch(over, 2_000);
    expect(times.of("t", 0)).toBeNull();
  });
});
