import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SessionEvent } from "../../src/protocol/messages.ts";
import type { Message } from "../../src/gateway/shapes.ts";
import { joined, newTurn, textOf, turnsOf, withEvent, type Turn } from "../../src/state/turns.ts";

const at = { turnId: "t", cursor: "" };
const text = (data: string): SessionEvent => ({ type: "text_delta", data, ...at });
const result = (said: string, more: object = {}): SessionEvent => ({
  ...{ type: "result", text: said, isOnlyCopy: false, files: [], reason: null, provider: null, model: null },
  ...{ usage: null, durationMs: 5, ...at, ...more },
});
const tool = (phase: "start" | "end", toolId: string, output: string | null = null): SessionEvent => ({
  ...{ type: "tool_activity", name: "Read", toolId, phase, input: phase === "start" ? { a: 1 } : null, output },
  ...{ isError: false, durationMs: null, truncated: false, ...at },
});
const grown = (...events: SessionEvent[]): Turn => events.reduce(withEvent, newTurn("t"));

const message = (more: Partial<Message>): Message => ({
  ...{ id: "m", turnId: "t", sender: "agent", content: "", timestamp: 1, files: [], tools: [], usage: null },
  ...{
    status: "done",
    outline: null,
    provider: null,
    model: null,
    durationMs: null,
    reason: null,
    error: null,
    ...more,
  },
});

describe("a turn", () => {
  it("is cut where something else happens, and nowhere else", () => {
    const turn = grown(text("a"), text("b"), tool("start", "1"), tool("start", "2"), tool("end", "1", "x"), text("c"));
    expect(turn.parts).toMatchObject([
      { kind: "text", text: "ab" },
      { kind: "tool", toolId: "1", output: "x", isRunning: false, input: { a: 1 } },
      { kind: "tool", toolId: "2", output: null, isRunning: true },
      { kind: "text", text: "c" },
    ]);
    expect(turn.status).toBe("running");
  });

  it("holds the text of its result, whatever the deltas were", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.option(fc.string()), (deltas, other) => {
        const said = other ?? deltas.join("");
        expect(textOf(grown(...deltas.map(text), tool("start", "1"), result(said)))).toBe(said);
      }),
    );
  });

  it("that is over has no tool that runs, and no label", () => {
    const label: SessionEvent = { type: "system_status", label: "thinking", ...at };
    for (const reason of [null, "abort", "interrupted"]) {
      const turn = grown(label, tool("start", "1"), result("", { reason }));
      expect(turn.parts).toMatchObject([{ isRunning: false, output: null }]);
      expect(turn.label).toBeNull();
    }
    expect(grown(result("", { reason: "abort" })).status).toBe("aborted");
    expect(grown(result("", { reason: "interrupted" })).status).toBe("interrupted");
    expect(grown(result("", { reason: "something new" })).status).toBe("aborted");
  });

  it("shows a tool that only ends, and one that only begins", () => {
    expect(grown(tool("end", "9", "x")).parts).toMatchObject([{ toolId: "9", output: "x", isRunning: false }]);
    expect(grown(tool("start", "")).parts).toMatchObject([{ toolId: "", isRunning: false }]);
  });
});

describe("the history", () => {
  it("makes one turn of a question and its answer, also when they come on two pages", () => {
    const user = message({ sender: "user", content: "q", status: "running" });
    const tools = [{ name: "Read", toolId: "1", input: 1, output: null, isError: false, durationMs: null }];
    const agent = message({ content: "so far", status: "running", tools });
    const [turn] = turnsOf([user, agent]);
    expect(turn).toMatchObject({ user: { text: "q" }, status: "running" });
    expect(turn?.parts).toMatchObject([
      { kind: "tool", isRunning: true },
      { kind: "text", text: "so far" },
    ]);
    const [older, newer] = [turnsOf([user])[0], turnsOf([agent])[0]];
    expect(joined(older ?? newTurn("t"), newer ?? newTurn("t"))).toEqual(turn);
    expect(turnsOf([message({ sender: "user", content: "q", status: "queued" })])).toMatchObject([
      { status: "queued" },
    ]);
  });

  it("has what an answer is made of in its order, counted in code points", () => {
    const tools = ["Read", "Bash"].map((name) => {
      return { name, toolId: name, input: 1, output: "x", isError: false, durationMs: 1 };
    });
    const part = { chars: null, text: null, tool: null };
    const outline = [
      { ...part, type: "thinking", text: "hm" },
      { ...part, type: "text", chars: 2 },
      { ...part, type: "tool", tool: 1 },
      { ...part, type: "something new" },
      { ...part, type: "tool", tool: 0 },
      { ...part, type: "text", chars: 3 },
    ];
    const [turn] = turnsOf([message({ content: "🙂a𝕏bc and more", tools, outline, model: "m", reason: "abort" })]);
    expect(turn?.parts).toMatchObject([
      { kind: "thinking", text: "hm" },
      { kind: "text", text: "🙂a" },
      { kind: "tool", name: "Bash" },
      { kind: "tool", name: "Read" },
      { kind: "text", text: "𝕏bc and more" },
    ]);
    expect(turn).toMatchObject({ model: "m", reason: "abort" });
  });

  it("and what follows it are one", () => {
    const [turn] = turnsOf([message({ content: "so ", status: "running" })]);
    expect(textOf([text("far"), result("so far")].reduce(withEvent, turn ?? newTurn("t")))).toBe("so far");
  });
});
