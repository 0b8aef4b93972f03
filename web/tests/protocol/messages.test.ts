import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codePoints, dropCodePoints, placeOf } from "../../src/protocol/cursor.ts";
import { ProtocolTrouble } from "../../src/protocol/errors.ts";
import { encodeJson, encodeText } from "../../src/protocol/json.ts";
import { decodeServerEvent, sendable, type ServerEvent } from "../../src/protocol/messages.ts";

const decode = (event: object): ServerEvent | null => decodeServerEvent(encodeJson(event));

describe("events", () => {
  it("come with their turn and their place", () => {
    expect(decode({ type: "text_delta", data: "hi", turn_id: "t", cursor: "e:2", later: [] })).toEqual({
      ...{ type: "text_delta", data: "hi", turnId: "t", cursor: "e:2" },
    });
  });

  it("of a stopped turn say why", () => {
    const result = { type: "result", text: "so far", stream_fallback: false };
    expect(decode({ ...result, aborted: true, reason: "timeout" })).toMatchObject({ reason: "timeout" });
    expect(decode({ ...result, aborted: true })).toMatchObject({ reason: "abort" });
    expect(decode(result)).toMatchObject({ reason: null, files: [], usage: null });
  });

  it("tell the end of a turn from a message that is refused", () => {
    expect(decode({ type: "error", code: "internal_error", message: "m", turn_id: "t", cursor: "e:3" })).toEqual({
      ...{ type: "turn_failed", code: "internal_error", message: "m", turnId: "t", cursor: "e:3" },
    });
    expect(decode({ type: "error", code: "internal_error", message: "m", id: "x" })).toMatchObject({ type: "refused" });
    expect(decode({ type: "error", code: "busy", message: "m", id: "x" })).toMatchObject({ type: "refused", id: "x" });
  });

  it("tell a tool's end from its start, and a status from its end", () => {
    const end = { type: "tool_activity", data: "Read", tool_id: "1", phase: "end", output: "o", is_error: true };
    expect(decode(end)).toMatchObject({ name: "Read", phase: "end", output: "o", isError: true, durationMs: null });
    expect(decode({ type: "tool_activity", data: "Read" })).toMatchObject({ phase: "start", toolId: "" });
    expect(decode({ type: "system_status", data: null })).toMatchObject({ label: null });
  });

  it("offer only decisions that this version knows", () => {
    const request = {
      ...{ type: "approval_request", id: "a", session_id: "s", agent: "main", turn_id: "t", tool: "Bash" },
      ...{ summary: "ls", input: { command: "ls" }, options: ["allow_once", "allow_all", 7, "deny"], expires_at: 9 },
    };
    expect(decode(request)).toMatchObject({ options: ["allow_once", "deny"], truncated: false });
    expect(decode({ type: "approval_resolved", id: "a", decision: "withdrawn" })).toMatchObject({
      decision: "cancelled",
    });
  });

  it("of a kind that is not known are passed over", () => {
    expect(decode({ type: "weather" })).toBeNull();
    expect(decode({ type: 7 })).toBeNull();
    expect(decode({})).toBeNull();
  });

  it.each([
    { type: "text_delta" },
    { type: "text_delta", data: 7 },
    { type: "result" },
    { type: "accepted", id: "1" },
    { type: "notification", notification: [] },
    { type: "response", id: "1", status: "200" },
  ])("of a known kind that lack what they need are trouble: %j", (event) => {
    expect(() => decode(event)).toThrow(ProtocolTrouble);
  });

  it("never fail in another way, whatever opens", () => {
    const types = fc.constantFrom("result", "error", "accepted", "tool_activity", "approval_request", "notification");
    const fields = fc.dictionary(fc.constantFrom("data", "id", "text", "files", "options", "usage"), fc.jsonValue());
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.tuple(types, fields)), (given) => {
        const text = typeof given === "string" ? given : JSON.stringify({ ...given[1], type: given[0] });
        try {
          decodeServerEvent(encodeText(text));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolTrouble);
        }
      }),
    );
  });
});

describe("what is typed", () => {
  it("loses only what cannot be sent", () => {
    expect(sendable("a\ud83d\ude80b\ud83dc\0d")).toBe("a\ud83d\ude80b\ufffdc\ufffdd");
  });
});

describe("places", () => {
  it("are split at the last colon", () => {
    expect(placeOf("a:b:12")).toEqual({ epoch: "a:b", seq: 12 });
    for (const none of ["", "12", "a:", "a:x", "a:-1", "a:1.5"]) expect(placeOf(none)).toBeNull();
  });

  it("count and cut text by code points", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(20), (text, count) => {
        expect(codePoints(text)).toBe([...text].length);
        expect(dropCodePoints(text, count)).toBe([...text].slice(count).join(""));
      }),
    );
  });
});
