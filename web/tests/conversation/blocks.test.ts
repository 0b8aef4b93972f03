import { describe, expect, it } from "vitest";
import { blocksOf, markdownOf, stepsOf } from "../../src/conversation/blocks.ts";
import type { Part, ToolPart } from "../../src/state/turns.ts";

function tool(name: string, fields: Partial<ToolPart> = {}): ToolPart {
  return {
    ...{ kind: "tool", toolId: name, name, input: null, output: "", isError: false, durationMs: 5 },
    ...{ isTruncated: false, isRunning: false },
    ...fields,
  };
}

const text = (words: string): Part => ({ kind: "text", text: words });
const thinking = (words: string): Part => ({ kind: "thinking", text: words });

describe("blocks", () => {
  it("puts tools in a row together and keeps the order of the rest", () => {
    const parts = [thinking("hm"), tool("a"), tool("b"), text("so"), tool("c")];
    expect(blocksOf(parts).map(({ kind, key }) => [kind, key])).toEqual([
      ["thinking", "thinking0"],
      ["steps", "steps1"],
      ["text", "text3"],
      ["steps", "steps4"],
    ]);
  });

  it("keeps its keys while an answer grows", () => {
    const before = blocksOf([text("a"), tool("x")]);
    const after = blocksOf([text("a"), tool("x"), tool("y"), text("b")]);
    expect(after.slice(0, 2).map(({ key }) => key)).toEqual(before.map(({ key }) => key));
  });

  it("keeps texts apart that stood apart", () => {
    expect(markdownOf([text("Let me look."), tool("a"), text("\nHere it is."), thinking("x"), text(" ")])).toBe(
      "Let me look.\n\nHere it is.",
    );
  });
});

describe("steps", () => {
  const shapeOf = (tools: readonly ToolPart[]): unknown =>
    stepsOf(tools).map((step) => (step.kind === "tool" ? step.tool.name : step.tools.map(({ name }) => name)));

  it("are all seen while one runs", () => {
    expect(shapeOf([tool("a"), tool("b"), tool("c"), tool("d", { isRunning: true })])).toEqual(["a", "b", "c", "d"]);
  });

  it("fold when they are done, from three on", () => {
    expect(shapeOf([tool("a"), tool("b")])).toEqual(["a", "b"]);
    expect(shapeOf([tool("a"), tool("b"), tool("c")])).toEqual([["a", "b", "c"]]);
  });

  it("leave those that failed in sight, at their place", () => {
    const failed = tool("bad", { isError: true });
    expect(shapeOf([tool("a"), tool("b"), tool("c"), failed, tool("d")])).toEqual([["a", "b", "c"], "bad", "d"]);
    expect(stepsOf([tool("a"), failed, tool("d")]).map(({ place }) => place)).toEqual([0, 1, 2]);
  });
});
