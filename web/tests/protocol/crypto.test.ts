import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBase64, encodeBase64 } from "../../src/protocol/base64.ts";
import { Encryption, openFrame, PREFIX_BYTES, sealFrame } from "../../src/protocol/crypto.ts";
import { encodeText } from "../../src/protocol/json.ts";

const key = new Uint8Array(32).fill(7);

function nonceOf(prefix: number, counter: bigint): Uint8Array {
  const nonce = new Uint8Array(24).fill(prefix, 0, PREFIX_BYTES);
  new DataView(nonce.buffer).setBigUint64(PREFIX_BYTES, counter);
  return nonce;
}

const said = (prefix: number, counter: bigint): string => sealFrame(key, nonceOf(prefix, counter), encodeText("{}"));

describe("nonces", () => {
  it("count up behind one prefix of their connection", () => {
    const encryption = new Encryption(key);
    const nonces = [1, 2, 3].map(() => openFrame(key, encryption.seal(encodeText("{}"))).nonce);
    const prefixes = new Set(nonces.map((nonce) => encodeBase64(nonce.slice(0, PREFIX_BYTES))));
    expect(prefixes.size).toBe(1);
    expect(nonces.map((nonce) => nonce[23])).toEqual([0, 1, 2]);
    const other = openFrame(key, new Encryption(key).seal(encodeText("{}"))).nonce;
    expect(prefixes.has(encodeBase64(other.slice(0, PREFIX_BYTES)))).toBe(false);
  });

  it("of the server may skip but neither repeat nor go back", () => {
    const encryption = new Encryption(key);
    encryption.open(said(1, 0n));
    encryption.open(said(1, 5n));
    encryption.open(said(1, 2n ** 63n));
    for (const counter of [0n, 5n, 6n, 2n ** 63n]) expect(() => encryption.open(said(1, counter))).toThrow(/before/);
    encryption.open(said(1, 2n ** 63n + 1n));
  });

  it("of the server keep their prefix", () => {
    const encryption = new Encryption(key);
    encryption.open(said(1, 0n));
    expect(() => encryption.open(said(2, 1n))).toThrow(/prefix/);
    encryption.open(said(1, 1n));
  });

  it("of a frame that does not open are not remembered", () => {
    const encryption = new Encryption(key);
    encryption.open(said(1, 0n));
    const forged = sealFrame(new Uint8Array(32).fill(8), nonceOf(1, 9n), encodeText("{}"));
    expect(() => encryption.open(forged)).toThrow(/does not open/);
    encryption.open(said(1, 1n));
  });

  it("of our own are refused when they come back", () => {
    const encryption = new Encryption(key);
    const frame = encryption.seal(encodeText('{"type":"ping"}'));
    expect(() => encryption.open(frame)).toThrow(/our own/);
  });
});

describe("base64", () => {
  it("is what everybody else makes of the bytes, and back", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const text = encodeBase64(bytes);
        expect(text).toBe(Buffer.from(bytes).toString("base64"));
        expect(decodeBase64(text)).toEqual(bytes);
      }),
    );
  });

  it("holds for what is longer than one piece of text", () => {
    const bytes = new Uint8Array(100_000).map((_, at) => at * 7);
    expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes);
    expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
  });

  it("is refused where it is not canonical, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."AZaz09+/=-_ \n\u00e9\ud83d") }), (text) => {
        const bytes = decodeBase64(text);
        if (bytes !== null) expect(encodeBase64(bytes)).toBe(text);
      }),
    );
    for (const wrong of ["QQ", "QQ=", "QR==", "QQ==\n", "Q===", "====", "QQ==QQ==", "Q-Q_"]) {
      expect(decodeBase64(wrong)).toBeNull();
    }
  });
});
