/** Messages in frames: what a connection sends and what it takes, encrypted. */

import { ProtocolTrouble } from "./errors.ts";
import type { Encryption } from "./crypto.ts";
import { decodeServerEvent, encodeClientMessage, type ClientMessage, type ServerEvent } from "./messages.ts";

/** What is taken in one frame, in characters of base64. */
const MAX_FRAME_CHARS = 16 * 1024 * 1024;

export const sealMessage = (encryption: Encryption, message: ClientMessage): string =>
  encryption.seal(encodeClientMessage(message));

/** Null for an event that this version does not know. Throws ProtocolTrouble. */
export function openEvent(encryption: Encryption, frame: unknown): ServerEvent | null {
  if (typeof frame !== "string" || frame.length > MAX_FRAME_CHARS) {
    throw new ProtocolTrouble("decrypt_failed", "no text, or too much of it");
  }
  return decodeServerEvent(encryption.open(frame));
}
