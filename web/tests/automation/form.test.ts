import { describe, expect, it } from "vitest";
import { curlOf, sampleOf } from "../../src/automation/curl.ts";
import { firstLine } from "../../src/automation/first-line.ts";
import { draftOf, withDraft } from "../../src/automation/form.ts";
import { placeKey, placeOf } from "../../src/automation/place.ts";

describe("what is typed in a form", () => {
  const initial = { title: "", prompt: "as it was", repeats: false };

  it("is kept as what is different, and comes back", () => {
    const typed = { ...initial, title: "New", repeats: true };
    const draft = draftOf(initial, typed);
    expect(JSON.parse(draft)).toEqual({ title: "New", repeats: true });
    expect(withDraft(initial, draft)).toEqual(typed);
    expect(withDraft({ ...initial, prompt: "changed elsewhere" }, draft).prompt).toBe("changed elsewhere");
  });

  it("is no draft when it is as it was", () => {
    expect(draftOf(initial, { ...initial })).toBe("");
    expect(withDraft(initial, "")).toEqual(initial);
  });

  it.each(["no JSON", "[1]", "null", '{"title": 5, "repeats": "yes", "other": "x"}'])(
    "is left alone by what is no draft of it: %s",
    (draft) => expect(withDraft(initial, draft)).toEqual(initial),
  );
});

describe("the place of a chat", () => {
  it("is a field of a form and back", () => {
    for (const place of [
      { chatId: null, channelId: null },
      { chatId: 7, channelId: null },
      { chatId: 7, channelId: 12 },
    ]) {
      expect(placeOf(placeKey(place))).toEqual(place);
    }
    expect(placeKey({ chatId: null, channelId: null })).toBe("");
  });
});

describe("a name for what has none", () => {
  it("is the first line, not too long", () => {
    expect(firstLine("\n  Look at\tthis \nand that")).toBe("Look at this");
    expect([...firstLine("🚀".repeat(200))]).toHaveLength(80);
    expect(firstLine(" ")).toBe("");
  });
});

describe("how a webhook is called", () => {
  it("stands in one command, in which a secret means nothing to the shell", () => {
    const command = curlOf({ auth: "bearer" }, "http://127.0.0.1:8741/hooks/abc", "a'b$(c)`d`");
    expect(command).toContain("curl 'http://127.0.0.1:8741/hooks/abc'");
    expect(command).toContain("-H 'Authorization: Bearer a'\\''b$(c)`d`'");
  });

  it("is not said where the sender signs", () => {
    expect(curlOf({ auth: "github" }, "http://127.0.0.1/hooks/abc", "s")).toBeNull();
  });

  it("has a sample for each kind of sender", () => {
    for (const auth of ["bearer", "github", "stripe"]) expect(JSON.parse(sampleOf(auth))).not.toEqual({});
    expect(JSON.parse(sampleOf("another"))).toEqual({});
  });
});
