/**
 * End-to-end encryption of frames: NaCl Box on a key that is computed once for each connection.
 * A frame is `base64(nonce[24] || box)`. The only place where frames are made and opened.
 */

import nacl from "tweetnacl";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { InvalidKey, ProtocolTrouble } from "./errors.ts";

export const KEY_BYTES = 32;
export const NONCE_BYTES = 24;
export const PREFIX_BYTES = 16;
const TAG_BYTES = 16;

export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

export const newKeyPair = (): KeyPair => nacl.box.keyPair();
export const keyPairOf = (secretKey: Uint8Array): KeyPair => nacl.box.keyPair.fromSecretKey(secretKey);
export const randomBytes = (length: number): Uint8Array => nacl.randomBytes(length);
export const encodeKey = encodeBase64;

/** The 32 bytes of a public key that arrived as base64. Throws InvalidKey; low-order points show up in `agree`. */
export function decodeKey(text: unknown): Uint8Array {
  const key = typeof text === "string" ? decodeBase64(text) : null;
  if (key?.length !== KEY_BYTES) throw new InvalidKey("not base64 of 32 bytes");
  return key;
}

/** The shared key of two parties. Throws InvalidKey for a low-order point, with which everybody would share it. */
export function agree(peerPublic: Uint8Array, secret: Uint8Array): Uint8Array {
  if (nacl.scalarMult(secret, peerPublic).every((byte) => byte === 0)) throw new InvalidKey("a low-order point");
  return nacl.box.before(peerPublic, secret);
}

/** The frame that carries `plaintext`. The caller answers for the nonce being used once. */
export function sealFrame(sharedKey: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array): string {
  const box = nacl.secretbox(plaintext, nonce, sharedKey);
  const raw = new Uint8Array(NONCE_BYTES + box.length);
  raw.set(nonce);
  raw.set(box, NONCE_BYTES);
  return encodeBase64(raw);
}

/** Throws ProtocolTrouble(decrypt_failed) for anything but a frame that was sealed with `sharedKey`. */
export function openFrame(sharedKey: Uint8Array, frame: string): { nonce: Uint8Array; plaintext: Uint8Array } {
  const raw = decodeBase64(frame);
  if (raw === null || raw.length < NONCE_BYTES + TAG_BYTES) throw new ProtocolTrouble("decrypt_failed", "no frame");
  const nonce = raw.subarray(0, NONCE_BYTES);
  const plaintext = nacl.secretbox.open(raw.subarray(NONCE_BYTES), nonce, sharedKey);
  if (plaintext === null) throw new ProtocolTrouble("decrypt_failed", "the frame does not open");
  return { nonce, plaintext };
}

/**
 * The client's side of one encrypted connection.
 *
 * Its own nonces are a fresh random prefix and a counter. Of the server's it asks the same: a prefix that stays and a
 * counter that grows, so that no frame is taken twice; and none may carry our prefix, which would be our own thrown back.
 */
export class Encryption {
  readonly #key: Uint8Array;
  readonly #prefix: Uint8Array;
  #sent = 0;
  #peerPrefix: Uint8Array | null = null;
  #peerCounter = -1n;

  constructor(sharedKey: Uint8Array, prefix: Uint8Array = randomBytes(PREFIX_BYTES)) {
    this.#key = sharedKey;
    this.#prefix = prefix;
  }

  /** The next frame to send. */
  seal(plaintext: Uint8Array): string {
    const nonce = new Uint8Array(NONCE_BYTES);
    nonce.set(this.#prefix);
    counterOf(nonce).setBigUint64(0, BigInt(this.#sent++));
    return sealFrame(this.#key, nonce, plaintext);
  }

  /** The plaintext of a frame that arrived. Throws ProtocolTrouble(decrypt_failed). */
  open(frame: string): Uint8Array {
    const { nonce, plaintext } = openFrame(this.#key, frame);
    if (hasPrefix(nonce, this.#prefix)) throw new ProtocolTrouble("decrypt_failed", "our own frame");
    const counter = counterOf(nonce).getBigUint64(0);
    if (this.#peerPrefix !== null && !hasPrefix(nonce, this.#peerPrefix)) {
      throw new ProtocolTrouble("decrypt_failed", "the nonces changed their prefix");
    }
    if (counter <= this.#peerCounter) throw new ProtocolTrouble("decrypt_failed", "the frame came before");
    this.#peerPrefix ??= nonce.slice(0, PREFIX_BYTES);
    this.#peerCounter = counter;
    return plaintext;
  }
}

const counterOf = (nonce: Uint8Array): DataView => new DataView(nonce.buffer, nonce.byteOffset + PREFIX_BYTES, 8);
const hasPrefix = (nonce: Uint8Array, prefix: Uint8Array): boolean => prefix.every((byte, at) => nonce[at] === byte);
