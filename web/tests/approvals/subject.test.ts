import { describe, expect, it } from "vitest";
import { partsOf, scopeOf, summaryOf } from "../../src/approvals/subject.ts";

describe("what an agent wants to do", () => {
  it("is told whole, field by field", () => {
    const input = { command: "ls", timeout: 5, nested: { a: [1] } };
    expect(partsOf({ input })).toEqual([
      { name: "command", text: "ls" },
      { name: "timeout", text: "5" },
      { name: "nested", text: '{\n  "a": [\n    1\n  ]\n}' },
    ]);
    expect(partsOf({ input: '{"command":"ls' })).toEqual([{ name: null, text: '{"command":"ls' }]);
    expect(partsOf({ input: null })).toEqual([]);
  });

  it("is not said twice", () => {
    expect(summaryOf({ summary: "rm -r build", input: { command: "rm  -r\nbuild" } })).toBeNull();
    expect(summaryOf({ summary: "rm\ufffd…", input: { command: "rm\u202e -r" } })).toBeNull();
    expect(summaryOf({ summary: "Deletes things", input: { command: "rm -r build" } })).toBe("Deletes things");
    expect(summaryOf({ summary: "", input: {} })).toBeNull();
  });
});

describe("what a rule would hold for", () => {
  it.each([
    ["command", "ls", { command: "ls", description: "Look" }],
    ["file", "/a/b", { file_path: "/a/b", content: "x" }],
    ["file", "/a/b.ipynb", { notebook_path: "/a/b.ipynb" }],
    ["host", "https://example.com", { url: "https://example.com/a?b", prompt: "x" }],
    ["input", '{"a":1,"b":{"c":2,"d":3}}', { b: { d: 3, c: 2 }, a: 1 }],
  ])("is a %s", (scope, pattern, input: unknown) => {
    expect(scopeOf({ pattern, input })).toBe(scope);
  });

  it.each([
    ["/a/b", { path: "/a/b" }],
    ["https://example.com", { url: "https://other.example" }],
    ['{"a":1}', { a: 2 }],
    ["git *", { command: "git push" }],
    ["no JSON", null],
  ])("is not said to be less than it may be: %s", (pattern, input: unknown) => {
    expect(scopeOf({ pattern, input })).toBe("other");
  });
});
