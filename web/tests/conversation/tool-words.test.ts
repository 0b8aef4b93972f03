import { describe, expect, it } from "vitest";
import { inputOf, kindOf, shortName, summaryOf } from "../../src/conversation/tool-words.ts";

describe("the summary of a tool", () => {
  it.each([
    ["Bash", { command: "npm test", description: "Run the tests" }, "npm test"],
    ["Bash", { command: ["ls", "-la"] }, "ls -la"],
    ["run_shell_command", { command: "make" }, "make"],
    ["Read", { file_path: "/srv/a.py", offset: 3 }, "/srv/a.py"],
    ["Read", { path: "/srv/b.png" }, "/srv/b.png"],
    ["Edit", { file_path: "/srv/a.py", old_string: "x", new_string: "y" }, "/srv/a.py"],
    ["Edit", { changes: [{ path: "a.ts", kind: "update" }, { path: "b.ts" }] }, "a.ts, b.ts"],
    ["Write", { file_path: "/srv/new.md", content: "# long" }, "/srv/new.md"],
    ["Grep", { pattern: "def main", path: "/srv" }, "def main · /srv"],
    ["Glob", { pattern: "**/*.ts" }, "**/*.ts"],
    ["WebFetch", { url: "https://example.org/a", prompt: "What is it?" }, "https://example.org/a"],
    ["WebSearch", { query: "weather" }, "weather"],
    ["Task", { description: "Look for bugs", prompt: "long" }, "Look for bugs"],
    ["mcp__mail__send", { to: "ann@example.org", body: "hi" }, "ann@example.org"],
    ["Anything", { count: 3 }, ""],
    ["Anything", null, ""],
    ["Anything", "as text", "as text"],
    ["Anything", [1, 2], ""],
  ])("%s %j", (name, input, summary) => {
    expect(summaryOf(name, input)).toBe(summary);
  });

  it("is one line, and not too long", () => {
    expect(summaryOf("Bash", { command: "cat <<EOF\n  a\n\nEOF" })).toBe("cat <<EOF a EOF");
    const long = summaryOf("Bash", { command: "x".repeat(5_000) });
    expect(long).toHaveLength(160);
    expect(long.endsWith("…")).toBe(true);
  });
});

describe("the input of a tool", () => {
  it("is the command as it was typed, where that is all", () => {
    const command = "a &&\n  b";
    expect(inputOf("Bash", { command, description: "Both" })).toEqual({ text: command, isCommand: true });
  });

  it("is JSON where there is more", () => {
    expect(inputOf("Bash", { command: "a", timeout: 5 })).toEqual({
      text: '{\n  "command": "a",\n  "timeout": 5\n}',
      isCommand: false,
    });
    expect(inputOf("Read", null).text).toBe("");
  });
});

it("knows the kinds by the names of several agents", () => {
  expect(["Bash", "read", "MultiEdit", "web_fetch", "Unheard"].map(kindOf)).toEqual([
    ...["command", "read", "edit", "web", "other"],
  ]);
});

it("shortens the names of tools of servers", () => {
  expect(shortName("mcp__git_hub__create_issue")).toBe("create_issue");
  expect(shortName("Bash")).toBe("Bash");
});
