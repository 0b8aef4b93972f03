import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { visible, visibleText } from "../../src/approvals/visible.ts";

describe("text to decide by", () => {
  it("is shown as it is, where all of it can be seen", () => {
    const text = 'rm -r "Große Dateien" && echo 日本語 🚀\n\tdone';
    expect(visible(text)).toEqual([{ text, isMark: false }]);
    expect(visible("")).toEqual([]);
  });

  it.each([
    ["a turn of direction", "a\u202eb", "a<U+202E>b"],
    ["an isolate", "\u2066a\u2069", "<U+2066>a<U+2069>"],
    ["nothing wide", "a\u200bb\ufeff", "a<U+200B>b<U+FEFF>"],
    ["another space", "rm\u00a0x", "rm<U+00A0>x"],
    ["a line that is none", "a\u2028b\rc", "a<U+2028>b<U+000D>c"],
    ["a control", "a\u0008\u001b[2Kb", "a<U+0008><U+001B>[2Kb"],
    ["a letter that is drawn as nothing", "a\u3164b\u2800", "a<U+3164>b<U+2800>"],
    ["a tag of the upper planes", "a\u{e0041}b", "a<U+E0041>b"],
    ["half a character", "a\ud83db", "a<U+D83D>b"],
  ])("has a mark for %s", (_what, text, seen) => {
    expect(visibleText(text)).toBe(seen);
  });

  it("loses nothing, and hides nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const back = visible(text)
          .map((part) => (part.isMark ? String.fromCodePoint(parseInt(part.text.slice(2), 16)) : part.text))
          .join("");
        expect(back).toBe(text);
        expect(visibleText(text)).not.toMatch(/[\p{Cc}\p{Cf}](?<![\n\t])/u);
      }),
    );
  });
});
