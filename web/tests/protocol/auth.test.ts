import { describe, expect, it } from "vitest";
import { Handshake, HandshakeRefused, type Credentials } from "../../src/protocol/auth.ts";
import {
  agree,
  decodeKey,
  encodeKey,
  Encryption,
  newKeyPair,
  openFrame,
  sealFrame,
} from "../../src/protocol/crypto.ts";
import { openEvent, sealMessage } from "../../src/protocol/frames.ts";
import { encodeJson, parseObject, type Fields } from "../../src/protocol/json.ts";

const identity = newKeyPair();
const open: Credentials = { token: "t\u00f6ken", serverKey: null };
const sealed: Credentials = { token: "t\u00f6ken", serverKey: encodeKey(identity.publicKey) };

/** A server's half of the handshake, which may be made to lie. */
function serve(firstFrame: string, lies: Fields = {}): { asked: Fields; answer: string; encryption: Encryption } {
  const asked = JSON.parse(firstFrame) as Record<string, unknown>;
  const clientKey = decodeKey(asked["e2e_pk"]);
  const keys = newKeyPair();
  const proof = sealFrame(agree(clientKey, identity.secretKey), new Uint8Array(24), keys.publicKey);
  const answer = {
    type: "auth_ok",
    chat_id: 1,
    e2e_pk: encodeKey(keys.publicKey),
    providers: [{ id: "p", name: "P", color: "#000000", models: ["m"], news: 1 }],
    active_provider: "p",
    active_model: null,
    session_id: "s",
    agent: "main",
    cursor: "e:4",
    unread_notifications: 2,
    ...("sealed" in asked ? { proof } : {}),
    ...lies,
  };
  return { asked, answer: JSON.stringify(answer), encryption: new Encryption(agree(clientKey, keys.secretKey)) };
}

function refusalOf(finish: () => unknown): string {
  try {
    finish();
  } catch (error) {
    return error instanceof HandshakeRefused ? error.reason : String(error);
  }
  return "let in";
}

describe("a handshake", () => {
  it("asks for everything this client can do, and ends in an encrypted connection", () => {
    const handshake = new Handshake(open, { chatId: 7, channelId: 9, cursor: "e:1", approvals: true, device: "phone" });
    const { asked, answer, encryption } = serve(handshake.firstFrame, { resume: "ok", channel_id: 9 });
    expect(asked).toMatchObject({
      ...{ type: "auth", token: "t\u00f6ken", chat_id: 7, channel_id: 9, sync: true, cursor: "e:1" },
      ...{ approvals: true, rpc: true, tools: "full", device: "phone" },
    });
    const { hello, encryption: ours } = handshake.finish(answer);
    expect(hello).toMatchObject({ sessionId: "s", cursor: "e:4", resume: "ok", channelId: 9, unreadNotifications: 2 });
    expect(hello.providers).toEqual([{ id: "p", name: "P", color: "#000000", models: ["m"] }]);
    const frame = sealMessage(ours, { type: "ping" });
    expect(parseObject(encryption.open(frame))).toEqual({ type: "ping" });
    expect(openEvent(ours, encryption.seal(encodeJson({ type: "pong" })))).toEqual({ type: "pong" });
  });

  it("leaves out what was not asked for", () => {
    const { asked } = serve(new Handshake(open, { chatId: null }).firstFrame);
    expect(Object.keys(asked).sort()).toEqual(["e2e_pk", "rpc", "sync", "token", "tools", "type"]);
  });

  it("seals the token for who holds the identity key, and for nobody else", () => {
    const { asked } = serve(new Handshake(sealed, {}).firstFrame);
    expect(asked).not.toHaveProperty("token");
    const shared = agree(decodeKey(asked["e2e_pk"]), identity.secretKey);
    expect(parseObject(openFrame(shared, String(asked["sealed"])).plaintext)).toEqual({ token: "t\u00f6ken" });
  });

  it("takes fresh keys each time", () => {
    const keys = [1, 2].map(() => serve(new Handshake(sealed, {}).firstFrame).asked["e2e_pk"]);
    expect(keys[0]).not.toBe(keys[1]);
  });

  it.each([
    ["no proof", { proof: null }],
    ["a proof that is no frame", { proof: "AAAA" }],
    ["a proof for another key", { e2e_pk: encodeKey(newKeyPair().publicKey) }],
  ])("goes no further with %s", (_, lies) => {
    const handshake = new Handshake(sealed, {});
    const { answer } = serve(handshake.firstFrame, lies);
    expect(refusalOf(() => handshake.finish(answer))).toBe("wrong_server");
  });

  it("refuses a proof by another identity", () => {
    const other: Credentials = { token: "t", serverKey: encodeKey(newKeyPair().publicKey) };
    const handshake = new Handshake(other, {});
    expect(refusalOf(() => handshake.finish(serve(handshake.firstFrame).answer))).toBe("wrong_server");
  });

  it("refuses an identity that is no usable key before anything is sent", () => {
    for (const serverKey of ["", "AAAA", encodeKey(new Uint8Array(32))]) {
      expect(refusalOf(() => new Handshake({ token: "t", serverKey }, {}))).toBe("wrong_server");
    }
  });

  it("says why it was not let in, taking an unknown reason for a wrong token", () => {
    const finish = (code: string): string =>
      refusalOf(() => new Handshake(open, {}).finish(JSON.stringify({ type: "error", code, message: "" })));
    expect(finish("auth_failed")).toBe("auth_failed");
    expect(finish("auth_timeout")).toBe("auth_timeout");
    expect(finish("something_new")).toBe("auth_failed");
  });

  it.each(["", "null", "{}", '{"type":"auth_ok"}', '{"type":"pong"}', "<html>"])("does not take %s", (answer) => {
    expect(() => new Handshake(open, {}).finish(answer)).toThrow(/ProtocolTrouble|no|not/);
  });

  it("does not take a low-order key of a server", () => {
    const handshake = new Handshake(open, {});
    const { answer } = serve(handshake.firstFrame, { e2e_pk: encodeKey(new Uint8Array(32)) });
    expect(() => handshake.finish(answer)).toThrow(/usable/);
  });
});
