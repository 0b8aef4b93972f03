import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf, COMMANDS, commandsFor, inserted, isSending } from "../../src/composer/sending.ts";

const press = (more: object = {}): Parameters<typeof isSending>[0] => ({
  ...{ key: "Enter", shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, isComposing: false },
  ...more,
});

describe("Enter", () => {
  it("sends, and with Shift makes a line; the other way round for those who chose that", () => {
    expect(isSending(press(), "enter", false)).toBe(true);
    expect(isSending(press({ shiftKey: true }), "enter", false)).toBe(false);
    expect(isSending(press(), "mod-enter", false)).toBe(false);
    expect(isSending(press({ ctrlKey: true }), "mod-enter", false)).toBe(true);
    expect(isSending(press({ metaKey: true }), "mod-enter", false)).toBe(true);
  });

  it("does not send what an input method still puts together, nor from a screen keyboard", () => {
    expect(isSending(press({ isComposing: true }), "enter", false)).toBe(false);
    expect(isSending(press(), "enter", true)).toBe(false);
    expect(isSending(press({ key: "a" }), "enter", false)).toBe(false);
  });
});

describe("commands", () => {
  it("are offered while nothing but the beginning of one is typed", () => {
    expect(commandsFor("/")).toEqual(COMMANDS);
    expect(commandsFor("/st")).toEqual(["status", "stop"]);
    for (const typed of ["", "st", "/status", "/st x", "a /st", "/xyz", "//", "/St"])
      expect(commandsFor(typed)).toEqual([]);
  });
});

describe("what was said", () => {
  it("goes where the caret is, apart from the words around it", () => {
    expect(inserted("", "hello", 0, 0)).toEqual({ text: "hello", caret: 5 });
    expect(inserted("say now", "hello", 3, 3)).toEqual({ text: "say hello now", caret: 9 });
    expect(inserted("say this now", "that", 4, 8)).toEqual({ text: "say that now", caret: 8 });
  });

  it("loses nothing of what is around it", () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), fc.nat(20), (text, added, at) => {
        const from = Math.min(at, text.length);
        const { text: whole, caret } = inserted(text, added, from, from);
        expect(whole.startsWith(text.slice(0, from))).toBe(true);
        expect(whole.endsWith(text.slice(from))).toBe(true);
        expect(whole.slice(0, caret).endsWith(added)).toBe(true);
      }),
    );
  });
});

it("counts a message in bytes", () => expect(bytesOf("aä🙂")).toBe(7));
