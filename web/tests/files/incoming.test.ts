import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitIncoming, withIncoming } from "../../src/files/incoming.ts";
import { kindOf } from "../../src/files/kinds.ts";

const PYTHON = new URL("../../../.venv/bin/python", import.meta.url).pathname;

/** The gateway's own words about a file. */
function prompt(name: string, caption: string): string {
  const program = `
import sys
from pathlib import Path
from sygen_bot.files.prompt import incoming_file_prompt
print(end=incoming_file_prompt(Path("/w/api_files") / sys.argv[1], workspace=Path("/w"), mime="image/webp", caption=sys.argv[2]))`;
  return execFileSync(PYTHON, ["-c", program, name, caption], { encoding: "utf8" });
}

describe("a message with files", () => {
  it("is the gateway's words about each, then the person's, and taken apart again", () => {
    const [one, two] = [prompt("a photo.webp", ""), prompt("ü.webp", "what is this?")];
    const message = withIncoming([one, two], "  look\n\nat it ");
    const { files, text } = splitIncoming(message);
    expect(text).toBe("look\n\nat it");
    expect(files).toEqual([
      { name: "a photo.webp", path: "api_files/a photo.webp", mime: "image/webp", caption: "", prompt: one },
      { name: "ü.webp", path: "api_files/ü.webp", mime: "image/webp", caption: "what is this?", prompt: two },
    ]);
    expect(splitIncoming(withIncoming([one], "")).text).toBe("");
  });

  it("is nothing special where somebody only writes about such words", () => {
    for (const text of [
      "",
      "hello",
      "see [INCOMING FILE]",
      "[INCOMING FILE]\nName: x",
      "[INCOMING FILE] A\nName: x\nPath: y",
    ]) {
      expect(splitIncoming(text)).toEqual({ files: [], text });
    }
    fc.assert(fc.property(fc.string(), (text) => splitIncoming(text).text === text));
  });
});

describe("what is looked at in the page", () => {
  it("is pictures, sounds and films, and nothing that can run", () => {
    expect(["a.PNG", "b.webp", "c.mp3", "d.webm", "e.jpeg"].map(kindOf)).toEqual([
      "picture",
      "picture",
      "audio",
      "video",
      "picture",
    ]);
    for (const name of ["a.svg", "a.html", "a.xhtml", "a.pdf", "png", "a.png.html", "a.constructor", ""]) {
      expect([name, kindOf(name)]).toEqual([name, "other"]);
    }
  });
});
