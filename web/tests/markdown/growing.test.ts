import fc from "fast-check";
import { h } from "preact";
import { renderToString } from "preact-render-to-string";
import { describe, expect, it } from "vitest";
import { Drawn } from "../../src/markdown/elements.tsx";
import { GrowingMarkdown, type Block } from "../../src/markdown/growing.ts";
import { plainText } from "../../src/markdown/plain-text.ts";

const drawn = (blocks: readonly Block[]): string => renderToString(h(Drawn, { blocks }));
const atOnce = (text: string): string => drawn(new GrowingMarkdown().read(text, false));
const growing = (text: string): string => drawn(new GrowingMarkdown().read(text, true));
const wordsIn = (html: string): string => html.replace(/<[^>]*>/g, "");

const PIECES = [
  ..."a* _`~[]()#>-+|:=\\&<!\n\t\r",
  ...[
    " ",
    "  ",
    "    ",
    "\n\n",
    "\r\n",
    "\n\n\n",
    "word ",
    "1. ",
    "- ",
    "* ",
    "> ",
    "- [x] ",
    "10) ",
    "---\n",
    "===\n",
  ],
  ...[
    "```\n",
    "~~~js\n",
    "  ```\n",
    "**b**",
    "[x](",
    "https://a.example)",
    "[r]",
    "\n[r]: https://r.example\n",
    "🙂",
    "<b>",
  ],
  ...[
    "|a|b|\n|-|-|\n",
    "|x|y|z|\n",
    "\n|a|\n|:-|\n",
    "# t\n",
    "\n    code\n",
    "  - inner\n",
    "\u0000",
    "[r]: /first\n\n",
  ],
];

describe("a text in pieces", () => {
  it("ends as the very elements of the text at once, however it came", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...PIECES), { maxLength: 50 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }),
        (said, steps) => {
          const text = said.join("");
          const one = new GrowingMarkdown();
          for (let at = 0, step = 0; at < text.length; step += 1) {
            at += steps[step % steps.length] ?? 1;
            one.read(text.slice(0, at), true);
          }
          expect(drawn(one.read(text, false))).toBe(atOnce(text));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("keeps all words, whatever stands around them", () => {
    const marks = [
      "\n",
      "\n\n",
      "- ",
      "1. ",
      "> ",
      "  ",
      "    ",
      "**",
      "_",
      "`",
      "# ",
      "|",
      "\n|-|-|\n",
      "~~",
      "[",
      "] ",
      "(",
      ") ",
      "\n===\n",
      "<b>",
      "\n```\n",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...marks), { maxLength: 60 }), (some) => {
        const text = some.map((mark, at) => `${mark}w${at}x `).join("");
        const shown = wordsIn(atOnce(text));
        const address = /\]\([^)]*\)/.test(text); // words in an address are not shown
        some.forEach((_, at) => address || expect(shown).toContain(`w${at}x`));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ["quotes", `${">".repeat(60)} innermost`],
    ["quotes, line by line", Array.from({ length: 60 }, (_, at) => `${"> ".repeat(at)}innermost`).join("\n")],
    ["lists", Array.from({ length: 60 }, (_, at) => `${"  ".repeat(at)}- innermost${at}`).join("\n")],
    ["cells of a row beyond the columns", "|a|b|\n|-|-|\n|1|2|innermost|"],
    ["such cells far below the head", `|a|b|\n|-|-|\n${"|1|2|\n".repeat(300)}|1|2|innermost|`],
    ["code with a pipe in a cell", "|a|b|\n|-|-|\n|1|`x | innermost`|"],
  ])("loses nothing that is too much: %s", (_, text) => {
    expect(wordsIn(atOnce(text))).toContain("innermost");
    expect(wordsIn(growing(text))).toContain("innermost");
  });

  it("goes on with a list, item by item, and keeps those before", () => {
    const one = new GrowingMarkdown();
    const text = "1. one\n2. two\n\n   more of two\n3. three";
    const before = one.read(text, true);
    const after = one.read(`${text} and\n4. four`, true);
    expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
    expect([after[0] === before[0], after[1] === before[1], after.length]).toEqual([true, true, 4]);
    expect(drawn(after).match(/<ol/g)).toHaveLength(1);
    expect(drawn(after).match(/<li/g)).toHaveLength(4);
    expect(drawn(after)).toContain("more of two");
  });

  it("makes a list of its own where the marks change", () => {
    expect(atOnce("- a\n* b\n1. c\n2) d").match(/<[ou]l/g)).toEqual(["<ul", "<ul", "<ol", "<ol"]);
    expect(atOnce("7. a\n8. b")).toContain('<ol dir="auto" start="7">');
    expect(atOnce("- a\n  - b\n    - c\n- d").match(/<ul/g)).toHaveLength(3);
    expect(atOnce("- a\n\ntext").match(/<p/g)).toHaveLength(1);
    expect(atOnce("It was\n1984. a year")).not.toContain("<ol");
    expect(atOnce("Steps:\n1. go")).toContain("<ol");
    expect(atOnce("- a\n\n- b").match(/<li[^>]* class="[^"]*apart/g)).toHaveLength(1);
    expect(atOnce("- a\n---\n- b")).toMatch(/<ul.*<hr.*<ul/);
  });

  it("draws one table, though its rows are settled a few at a time", () => {
    const rows = Array.from({ length: 400 }, (_, at) => `| r${at} | x |`);
    const table = ["| a | b |", "|---|:-:|", ...rows].join("\n");
    const one = new GrowingMarkdown();
    const before = one.read(table, true);
    const after = one.read(`${table}\n| last | y |`, true);
    expect(before.length).toBeGreaterThan(3);
    expect(after[0]).toBe(before[0]);
    const html = drawn(after);
    expect([html.match(/<table/g)?.length, html.match(/<thead/g)?.length, html.match(/<tr/g)?.length]).toEqual([
      1, 1, 402,
    ]);
    expect(atOnce(`text above\n${table}\n\nbelow`)).toMatch(
      /^<div[^>]*><div[^>]*><p dir="auto">text above<\/p>.*<p dir="auto">below<\/p>/s,
    );
  });

  it("is code as long as its fence is open, however much it becomes", () => {
    const code = "const a = 1;\n".repeat(8_000);
    const [block] = new GrowingMarkdown().read(`\`\`\`js\n${code}`, true);
    expect([block?.code?.info, block?.code?.text]).toEqual(["js", code.slice(0, -1)]);
    const whole = new GrowingMarkdown().read(`  ~~~~ py x\n  a\n   b\n\n~~~\n  ~~~~\nafter`, false);
    expect(whole[0]?.code).toEqual({ info: " py x", text: "a\n b\n\n~~~" });
    expect(whole[1]?.source).toBe("after");
    expect(new GrowingMarkdown().read("```\r\na\r\nb\r\n```\r\n", false)[0]?.code?.text).toBe("a\nb");
    expect(new GrowingMarkdown().read("```\n```", false)[0]?.code?.text).toBe("");
  });

  it("keeps long code in an item as code", () => {
    const item = `1. Do this:\n   \`\`\`py\n${"   a = 1\n".repeat(4_000)}   \`\`\`\n2. Then that`;
    expect(atOnce(item)).toContain('aria-label="Code in py"');
    expect(atOnce(item).match(/<li/g)).toHaveLength(2);
  });

  it("knows links that are defined below, the first definition of each, and no half one", () => {
    const one = new GrowingMarkdown();
    one.read("see [r] and [x][r]\n\nmiddle\n\n[r]: https://r.exa", true);
    const middle = one.read(
      "see [r] and [x][r]\n\nmiddle\n\n[r]: https://r.example/x\n\n[r]: https://other.example\n\nnow [R] and",
      true,
    );
    expect(drawn(middle)).toContain('href="https://r.example/x"');
    const end = one.read(
      "see [r] and [x][r]\n\nmiddle\n\n[r]: https://r.example/x\n\n[r]: https://other.example\n\nnow [R] and",
      false,
    );
    expect(drawn(end).match(/href="[^"]*"/g)).toEqual(Array.from({ length: 3 }, () => 'href="https://r.example/x"'));
    expect(end[1]).toBe(middle[1]);
  });

  it("looks calm at every letter", () => {
    const calm = (text: string): string => wordsIn(growing(text));
    expect(calm("so **bol")).toBe("so bol");
    expect(growing("**bold*")).toContain("<strong>bold</strong>");
    expect(growing("so *ita")).toContain("<em>ita</em>");
    expect(growing("so **b *c")).toContain("<strong>b <em>c</em></strong>");
    expect(calm("a [the page](https://a.exa")).toBe("a the page");
    expect(calm('a [the page](https://a.example "some ti')).toBe("a the page");
    expect(calm("a [note](see below")).toBe("a [note](see below");
    expect(calm("text\n-")).toBe("text");
    expect(growing("text\n-")).not.toContain("<h");
    expect(growing("text\n\n``")).not.toContain("`");
    expect(growing("| a | b")).toContain("<th");
    expect(growing("| a | b |\n|--")).toContain("<th");
    expect(calm("snake_case_name and 2 * 3 * 4")).toBe("snake_case_name and 2 * 3 * 4");
    expect(calm("`a * b")).toBe("a * b");
    expect(wordsIn(growing("- item\n  ```\n  **x"))).toMatch(/\*\*x$/);
    expect(calm("a snake_case")).toBe("a snake_case");
  });

  it("is no task and no file name by mistake", () => {
    expect(atOnce("[x] said")).toContain("[x] said");
    expect(atOnce("- [ ] a\n- [x] b\n\n  c").match(/type="checkbox" disabled/g)).toHaveLength(2);
    expect(atOnce("edit main.py and notes.md")).not.toContain("href");
  });

  it("bounds what is too large to be read, and shows it as it is written", () => {
    const wide = `${"|a".repeat(2_000)}|\n${"|-".repeat(2_000)}|\n${"|x|\n".repeat(3_000)}`;
    expect(atOnce(wide)).not.toContain("<table");
    expect(atOnce("a *b* ".repeat(4_000))).not.toContain("<em");
    const long = `|a|b|\n|-|-|\n${"|x|y|\n".repeat(5_000)}`;
    expect(atOnce(long).match(/<td/g)?.length).toBeLessThanOrEqual(5_000);
    expect(wordsIn(atOnce(long)).match(/y/g)).toHaveLength(5_000);
    const quoted = `> ${"|a".repeat(300)}|\n> ${"|-".repeat(300)}|\n${"> |x|\n".repeat(2_000)}`;
    expect(atOnce(quoted)).not.toContain("<table");
  });
});

describe("plain text", () => {
  it("is the words alone", () => {
    expect(
      plainText("# T\n\na **b** [c](https://d.example) `e`\nf\n\n- g\n- h\n\n```js\ni()\n```\n\n|j|k|\n|-|-|\n|l|m|"),
    ).toBe("T\na b c e\nf\ng\nh\ni()\nj\tk\nl\tm");
    expect(plainText("&lt;b> &amp; <i>x</i>")).toBe("<b> & <i>x</i>");
  });
});
