import fc from "fast-check";
import { h } from "preact";
import { renderToString } from "preact-render-to-string";
import { describe, expect, it } from "vitest";
import { GrowingMarkdown } from "../../src/markdown/growing.ts";
import { spansOf } from "../../src/markdown/highlight.ts";
import { hiddenHost, safeAddress } from "../../src/markdown/links.ts";
import { Drawn } from "../../src/markdown/elements.tsx";
import attacks from "./attacks.json";

const html = (text: string, isStreaming = false): string =>
  renderToString(h(Drawn, { blocks: new GrowingMarkdown().read(text, isStreaming) }));
const whole = (hostile: (typeof attacks.huge)[number]): string => {
  const { prefix = "", piece = "", line = "", times } = hostile;
  if (line === "") return prefix + piece.repeat(times);
  const body = line.trimStart();
  return Array.from({ length: times }, (_, at) => line.slice(0, line.length - body.length).repeat(at) + body).join(
    "\n",
  );
};

const ALLOWED_ELEMENTS = new Set(
  "div p h3 h4 h5 h6 ul ol li blockquote table thead tbody tr th td hr br strong em s code pre a bdi span input figure figcaption button svg path line rect circle polyline".split(
    " ",
  ),
);
const ALLOWED_ATTRIBUTES = new Set(
  "class dir href target rel title role aria-label tabindex type disabled checked start style aria-pressed aria-hidden focusable width height viewBox fill stroke d x x1 x2 y y1 y2 rx ry r cx cy points stroke-width stroke-linecap stroke-linejoin".split(
    " ",
  ),
);

/** What is drawn, as elements and attributes. Of text there is no `<` and no `>` left in it. */
function elements(drawn: string): { name: string; attributes: Map<string, string> }[] {
  return [...drawn.matchAll(/<([a-zA-Z][\w-]*)((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*\/?>/g)].map(
    ([, name = "", rest = ""]) => ({
      name,
      attributes: new Map(
        [...rest.matchAll(/([\w:-]+)(?:="([^"]*)")?/g)].map(([, key = "", value = ""]) => [key, value]),
      ),
    }),
  );
}

/** What is wrong with what is drawn: nothing, in one comparison, since huge texts have huge numbers of elements. */
function offences(drawn: string): string[] {
  const found: string[] = [];
  const all = elements(drawn);
  for (const { name, attributes } of all) {
    if (!ALLOWED_ELEMENTS.has(name)) found.push(name);
    for (const [attribute, value] of attributes) {
      if (!ALLOWED_ATTRIBUTES.has(attribute)) found.push(`${name} ${attribute}`);
      if (attribute === "href" && !/^(?:https?:\/\/[^/]|mailto:|tel:)/.test(value)) found.push(value);
      if (attribute === "style" && !/^text-align:\s?(?:left|center|right);?$/.test(value)) found.push(value);
    }
  }
  // Everything that begins like an element is one of those: nothing hides between them.
  if ((drawn.match(/<[^/]/g) ?? []).length !== all.length) found.push("hidden");
  return found;
}

function expectHarmless(drawn: string): void {
  expect(offences(drawn)).toEqual([]);
}

describe("hostile Markdown", () => {
  it.each(attacks.small)("is harmless: %j", (text) => {
    expectHarmless(html(text));
    expectHarmless(html(text, true));
  });

  it.each(attacks.huge)("does not hold up the page: $name", (hostile) => {
    const text = whole(hostile);
    expectHarmless(html(text.slice(0, 20_000), true));
    expect(html(text).length).toBeGreaterThan(0);
  });

  it("of any kind is harmless", () => {
    const pieces = [
      ..."<>[]()*_`~!#&;:/\\\"'= \n\t|-x",
      "javascript:",
      "script",
      "onerror=",
      "https://a.example",
      "```",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 60 }), (some) =>
        expectHarmless(html(some.join(""))),
      ),
      { numRuns: 500 },
    );
  });
});

describe("links", () => {
  it("lead to the web, to mail and to telephones", () => {
    expect(html("[a](https://a.example/x?y=1#z)")).toContain('href="https://a.example/x?y=1#z"');
    expect(html("see https://a.example and b@c.example")).toMatch(
      /href="https:\/\/a.example\/".*href="mailto:b@c.example"/,
    );
    expect(html("[a](https://a.example)")).toContain('target="_blank" rel="noopener noreferrer nofollow"');
    expect(html("[a](javascript:alert(1))")).not.toContain("href");
    for (const address of ["javascript:x", "data:,x", "java\nscript:x", "/api", "#/x", "", "http://"]) {
      expect([address, safeAddress(address)]).toEqual([address, null]);
    }
  });

  it("say where they really lead, if their words say something else", () => {
    expect(html("[https://bank.example](https://evil.example/x)")).toContain("(evil.example)");
    expect(html("[bank.example](https://www.bank.example/x)")).not.toContain("(www.");
    expect(html("[the bank](https://evil.example)")).not.toContain("(evil");
    expect(hiddenHost("go to https://b\u0430nk.example now", "https://bank.example/")).toBe("bank.example");
    expect(html("[\u202egnp.exe](https://a.example)")).not.toContain("\u202e");
  });

  it("that do not open say where they would have led", () => {
    expect(html("[main.py](src/main.py)")).toContain('<bdi>main.py</bdi><span class="');
    expect(html("[main.py](src/main.py)")).toContain("(src/main.py)");
    expect(html("[src/main.py](src/main.py)")).not.toContain("(src");
    expect(html("[a](javascript:alert\\(1\\))")).toContain("(javascript:alert(1))");
    expect(html(`[a](data:,${"x".repeat(5_000)})`).length).toBeLessThan(500);
  });

  it("show a name of two scripts as the browser reads it", () => {
    expect(html("[b\u0430nk.example](https://b\u0430nk.example/)")).toContain("(xn--");
    expect(html("https://m\u00fcller.example/ge\u00f6ffnet.html")).not.toContain("(");
    expect(html("[https://bank.example@evil.example/](https://bank.example@evil.example/)")).toContain(
      "(evil.example)",
    );
    expect(html("[see bank.example and other.example](https://bank.example)")).toContain("(bank.example)");
  });

  it("keep what is emphasised in them, without the signs that turn it around", () => {
    const drawn = html("[**bold \u202egnp** `\u2066x`](https://a.example)");
    expect(drawn).toContain("<strong>bold gnp</strong> <code>x</code>");
  });

  it("stand in for pictures, which are not fetched", () => {
    const drawn = html("![a cat](https://a.example/cat.png)");
    expect(drawn).toContain("Image: a cat</bdi></a>");
    expect(drawn).not.toContain("<img");
    expect(html("[![a cat](https://a.example/cat.png)](https://b.example)").match(/<a /g)).toHaveLength(1);
  });
});

describe("Markdown", () => {
  it("is drawn as what it means", () => {
    const drawn = html(
      "# T\n\na **b** *c* ~~d~~ `e`\nf  \ng\n\n- [x] h\n- i\n\n3. j\n\n> k\n\n---\n\n|l|m|\n|:-|-:|\n|n|o|\n\n<b>p</b>",
    );
    for (const part of [
      ...['<h3 dir="auto">T</h3>', "<strong>b</strong>", "<em>c</em>", "<s>d</s>", "<code>e</code>", "\nf<br/>"],
      ...['type="checkbox" disabled checked', '<ol dir="auto" start="3">', "<blockquote", "<hr/>", "text-align:right"],
      "&lt;b>p&lt;/b>",
    ]) {
      expect(drawn).toContain(part);
    }
  });

  it("knows the names of signs that are written, and leaves others as they are", () => {
    expect(html("a &rarr; b &frac12; &amp;lt; &unheardof; &#8364;")).toContain("a → b ½ &amp;lt; &amp;unheardof; €");
  });

  it("names the language of code, and keeps the code as it is", () => {
    const drawn = html("```python title=x\nif a < b:\n\tpass\n```");
    expect(drawn).toContain('aria-label="Code in python"');
    expect(drawn).toContain("<code>if a &lt; b:\n\tpass</code>");
  });
});

describe("a text that grows", () => {
  const pieces = [
    "a",
    " ",
    "\n",
    "\n\n",
    "- ",
    "1. ",
    "> ",
    "**b**",
    "**",
    "`",
    "```\n",
    "# ",
    "|a|b|\n|-|-|\n",
    "[x](",
    "https://a.example)",
    "[r]",
    "\n\n[r]: https://r.example\n\n",
    "🙂",
    "<b>",
    "===\n",
    "    ",
  ];

  it("ends as it is drawn at once, however it came", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 40 }), fc.nat(), (said, seed) => {
        const text = said.join("");
        const growing = new GrowingMarkdown();
        for (let at = 0, step = 1; at < text.length; at += step) {
          growing.read(text.slice(0, at), true);
          step = 1 + ((seed + at) % 7);
        }
        growing.read(text, true);
        const [grown, atOnce] = [growing.read(text, false), new GrowingMarkdown().read(text, false)];
        const shown = (blocks: typeof grown): unknown =>
          JSON.parse(
            JSON.stringify(blocks.map(({ key, tokens }) => [key, tokens?.map((token) => ({ ...token, map: null }))])),
          );
        expect(shown(grown)).toEqual(shown(atOnce));
      }),
      { numRuns: 300 },
    );
  });

  it("keeps what is settled, and parses only the end", () => {
    const growing = new GrowingMarkdown();
    const [before] = growing.read("first\n\nsecond\n\nthi", true);
    const after = growing.read("first\n\nsecond\n\nthird\n\nfourth", true);
    expect(after[0]).toBe(before);
    expect(after).toHaveLength(4);
    expect(growing.read("first\n\nsecond\n\nthird\n\nfourth", false)[0]).toBe(before);
  });

  it("is another one if it does not go on from what was there", () => {
    const growing = new GrowingMarkdown();
    growing.read("one\n\ntwo\n\nthree", true);
    expect(growing.read("other", true).map(({ source }) => source)).toEqual(["other"]);
  });

  it("shows marks that are open as if they were closed already", () => {
    expect(html("so **bol", true)).toContain("<strong>bol</strong>");
    expect(html("so `co", true)).toContain("<code>co</code>");
    expect(html("see [the page](https://a.exa", true)).toContain("see the page<");
    expect(html("a *", true)).not.toContain("*");
    expect(html("```\n**x", true)).toContain("**x");
    expect(html("so **bol", false)).toContain("so **bol");
  });

  it("that has no end is shown as it is written, in pieces of which only the last one changes", () => {
    const growing = new GrowingMarkdown();
    const long = "word ".repeat(40_000);
    const before = growing.read(long, true);
    const after = growing.read(`${long}more`, true);
    expect(after.map(({ source }) => source).join("")).toBe(`${long}more`);
    expect(after.at(-2)?.source).toBe(before.at(-2)?.source);
  });
});

describe("colours", () => {
  it("are taken as spans around the very code, and as nothing else", () => {
    expect(spansOf('<span class="hljs-a">x &lt; <span class="hljs-b">y</span></span>', "x < y")).not.toBeNull();
    expect(spansOf('<span class="hljs-a">x</span>', "y")).toBeNull();
    expect(spansOf("<img src=x>", "<img src=x>")).toBeNull();
    expect(spansOf('<span class="a" onclick="x">y</span>', "y")).toBeNull();
    expect(spansOf("</span>x", "x")).toBeNull();
  });
});
