import { describe, expect, it } from "vitest";
import { isLong, linkified, shortened, spoken, withoutFileTags } from "../../src/conversation/plain-text.ts";

const linksIn = (text: string): string[] =>
  linkified(text).flatMap(({ kind, text: part }) => (kind === "link" ? [part] : []));

describe("addresses in what a person typed", () => {
  it.each([
    ["see https://example.org.", ["https://example.org"]],
    ["(https://example.org/a_(b))", ["https://example.org/a_(b)"]],
    ["https://example.org/a?b=c&d=[e], then", ["https://example.org/a?b=c&d=[e]"]],
    ["https://a.example http://b.example!", ["https://a.example", "http://b.example"]],
    ["javascript:alert(1) data:text/html,x //example.org ftp://example.org", []],
    ["https:// and https://[", []],
    ['<a href="https://example.org">', ["https://example.org"]],
  ])("%s", (text, links) => {
    expect(linksIn(text)).toEqual(links);
  });

  it("loses nothing of the text", () => {
    const text = "a https://example.org/(x), b\nhttps://example.org.";
    expect(
      linkified(text)
        .map(({ text: part }) => part)
        .join(""),
    ).toBe(text);
  });
});

it("folds what is long by its lines or its characters", () => {
  expect(isLong("short\ntext")).toBe(false);
  expect(isLong("x".repeat(1_201))).toBe(true);
  expect(isLong("x\n".repeat(12))).toBe(true);
});

describe("the tags of files", () => {
  it("are not seen, nor the lines that held nothing else", () => {
    expect(withoutFileTags("Here:\n<file:/srv/a.png>\nand <file:/srv/b c.txt>.", false)).toBe("Here:\nand .");
  });

  it("are not seen while they are still said", () => {
    expect(withoutFileTags("Here: <file:/srv/a", true)).toBe("Here: ");
    expect(withoutFileTags("Here: <fi", true)).toBe("Here: ");
    expect(withoutFileTags("Here: <fi", false)).toBe("Here: <fi");
    expect(withoutFileTags("a < b", true)).toBe("a < b");
  });
});

describe("an answer for those who listen", () => {
  it("is words without signs", () => {
    const markdown = "# Title\n\n- **one** and `two`\n- [three](https://example.org)\n\n> *four*\n\n1. five";
    expect(spoken(markdown, "Code.")).toBe("Title one and two three four five");
  });

  it("names code and does not read it out", () => {
    expect(spoken("Try:\n```js\nlet a = 1;\n```\nDone.", "Code.")).toBe("Try: Code. Done.");
    expect(spoken("Try:\n```js\nlet a = 1;", "Code.")).toBe("Try: Code.");
  });

  it("has tables without their lines", () => {
    expect(spoken("| a | b |\n|---|:-:|\n| 1 | 2 |", "Code.")).toBe("a b 1 2");
  });

  it("ends with a sentence where it is cut, or with a word", () => {
    expect(shortened("All of it.", 50)).toBe("All of it.");
    expect(shortened("First sentence here. Second sentence goes on and on", 40)).toBe("First sentence here.");
    expect(shortened("One word after another without an end", 20)).toBe("One word after…");
  });
});
