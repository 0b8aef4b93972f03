import { describe, expect, it } from "vitest";
import { decodeBase64, encodeBase64 } from "../../src/protocol/base64.ts";
import { agree, decodeKey, Encryption, keyPairOf, openFrame, sealFrame } from "../../src/protocol/crypto.ts";
import { InvalidKey, ProtocolTrouble } from "../../src/protocol/errors.ts";
import { encodeText, parseObject } from "../../src/protocol/json.ts";
import vectors from "../vectors/e2e-v1.json";

const client = keyPairOf(bytes(vectors.client.sk));
const server = keyPairOf(bytes(vectors.server.sk));
const shared = agree(server.publicKey, client.secretKey);

function bytes(base64: string): Uint8Array {
  const decoded = decodeBase64(base64);
  if (decoded === null) throw new Error(`not base64: ${base64}`);
  return decoded;
}

function troubleWith(frame: string): string {
  try {
    parseObject(new Encryption(shared).open(frame));
  } catch (error) {
    if (error instanceof ProtocolTrouble) return error.code;
    throw error;
  }
  return "taken";
}

describe("keys", () => {
  it("are those of the vectors on both sides", () => {
    expect(encodeBase64(client.publicKey)).toBe(vectors.client.pk);
    expect(encodeBase64(server.publicKey)).toBe(vectors.server.pk);
    expect(encodeBase64(shared)).toBe(vectors.shared_key);
    expect(encodeBase64(agree(client.publicKey, server.secretKey))).toBe(vectors.shared_key);
  });

  it.each(vectors.bad_keys)("are refused: $why $e2e_pk", ({ e2e_pk: key }) => {
    expect(() => agree(decodeKey(key), client.secretKey)).toThrow(InvalidKey);
  });
});

describe("frames", () => {
  it.each(vectors.frames)("are reproduced: $plaintext", ({ nonce, plaintext, frame }) => {
    expect(sealFrame(shared, bytes(nonce), encodeText(plaintext))).toBe(frame);
    const opened = openFrame(shared, frame);
    expect(new TextDecoder().decode(opened.plaintext)).toBe(plaintext);
    expect(encodeBase64(opened.nonce)).toBe(nonce);
    expect(parseObject(opened.plaintext)).toEqual(JSON.parse(plaintext));
  });

  it.each(vectors.bad_frames)("are refused: $why", ({ frame, expect: code }) => {
    expect(troubleWith(frame)).toBe(code);
  });
});
