/**
 * The handshake, pure: the first frame, and what its answer means. With the gateway's identity key the token is sealed,
 * and the answer has to prove that the gateway holds that key; there is no way back to an open token.
 */

import { agree, decodeKey, encodeKey, Encryption, newKeyPair, NONCE_BYTES, openFrame, randomBytes } from "./crypto.ts";
import { sealFrame, type KeyPair } from "./crypto.ts";
import { InvalidKey, ProtocolTrouble } from "./errors.ts";
import { encodeJson, maybeNumber, maybeText, number, objects, parseObjectText, text, texts } from "./json.ts";

export interface Credentials {
  readonly token: string;
  /** The gateway's identity key in base64; null where nobody told it. */
  readonly serverKey: string | null;
}

export interface AuthWishes {
  readonly chatId?: number | null;
  readonly channelId?: number | null;
  readonly cursor?: string | null;
  readonly approvals?: boolean;
  readonly device?: string;
}

export interface ProviderCard {
  readonly id: string;
  readonly name: string;
  /** #RRGGBB */
  readonly color: string;
  /** The default first. */
  readonly models: readonly string[];
}

export interface Hello {
  readonly chatId: number;
  readonly channelId: number | null;
  readonly providers: readonly ProviderCard[];
  readonly activeProvider: string | null;
  readonly activeModel: string | null;
  readonly sessionId: string;
  readonly agent: string;
  readonly cursor: string;
  readonly resume: "ok" | "gap" | null;
  readonly unreadNotifications: number;
  readonly pendingApprovals: number;
}

export type HandshakeRefusal = "auth_timeout" | "auth_required" | "auth_failed" | "wrong_server";

export class HandshakeRefused extends Error {
  override readonly name = "HandshakeRefused";

  constructor(readonly reason: HandshakeRefusal) {
    super(reason);
  }
}

/** One attempt to be let in, with a fresh key pair. Throws HandshakeRefused(wrong_server) if the identity key is none. */
export class Handshake {
  /** What is to be sent, in plaintext, as the first frame. */
  readonly firstFrame: string;
  readonly #keys: KeyPair;
  readonly #identityShared: Uint8Array | null;

  constructor(credentials: Credentials, wishes: AuthWishes, keys: KeyPair = newKeyPair()) {
    this.#keys = keys;
    this.#identityShared = credentials.serverKey === null ? null : sharedWith(credentials.serverKey, keys);
    const proofOfToken =
      this.#identityShared === null
        ? { token: credentials.token }
        : {
            sealed: sealFrame(this.#identityShared, randomBytes(NONCE_BYTES), encodeJson({ token: credentials.token })),
          };
    this.firstFrame = JSON.stringify({
      type: "auth",
      ...proofOfToken,
      e2e_pk: encodeKey(keys.publicKey),
      ...(wishes.chatId == null ? {} : { chat_id: wishes.chatId }),
      ...(wishes.channelId == null ? {} : { channel_id: wishes.channelId }),
      sync: true,
      ...(wishes.cursor == null ? {} : { cursor: wishes.cursor }),
      tools: "full",
      ...(wishes.approvals === true ? { approvals: true } : {}),
      rpc: true,
      ...(wishes.device === undefined ? {} : { device: wishes.device }),
    });
  }

  /** Whoever answered is let in, too, and can be talked to. Throws HandshakeRefused or ProtocolTrouble(invalid). */
  finish(answer: string): { hello: Hello; encryption: Encryption } {
    const fields = parseObjectText(answer);
    if (fields["type"] === "error") throw new HandshakeRefused(refusalOf(maybeText(fields, "code")));
    if (fields["type"] !== "auth_ok") throw new ProtocolTrouble("invalid", "no answer to a handshake");
    const serverKey = usableKey(fields["e2e_pk"]);
    if (this.#identityShared !== null) checkProof(this.#identityShared, maybeText(fields, "proof"), serverKey);
    let shared: Uint8Array;
    try {
      shared = agree(serverKey, this.#keys.secretKey);
    } catch {
      throw new ProtocolTrouble("invalid", "the server's key is not usable");
    }
    const resume = fields["resume"];
    const hello: Hello = {
      chatId: number(fields, "chat_id"),
      channelId: maybeNumber(fields, "channel_id"),
      providers: objects(fields, "providers").map((card) => ({
        id: text(card, "id"),
        name: maybeText(card, "name") ?? text(card, "id"),
        color: maybeText(card, "color") ?? "",
        models: texts(card, "models"),
      })),
      activeProvider: maybeText(fields, "active_provider"),
      activeModel: maybeText(fields, "active_model"),
      sessionId: text(fields, "session_id"),
      agent: maybeText(fields, "agent") ?? "",
      cursor: text(fields, "cursor"),
      resume: resume === "ok" || resume === "gap" ? resume : null,
      unreadNotifications: maybeNumber(fields, "unread_notifications") ?? 0,
      pendingApprovals: maybeNumber(fields, "pending_approvals") ?? 0,
    };
    return { hello, encryption: new Encryption(shared) };
  }
}

function sharedWith(identity: string, keys: KeyPair): Uint8Array {
  try {
    return agree(decodeKey(identity), keys.secretKey);
  } catch (error) {
    if (error instanceof InvalidKey) throw new HandshakeRefused("wrong_server");
    throw error;
  }
}

function usableKey(value: unknown): Uint8Array {
  try {
    return decodeKey(value);
  } catch {
    throw new ProtocolTrouble("invalid", "the server's key is no key");
  }
}

/** Only who holds the identity key can have sealed the key that is used on this connection. */
function checkProof(identityShared: Uint8Array, proof: string | null, serverKey: Uint8Array): void {
  let proven: Uint8Array;
  try {
    proven = openFrame(identityShared, proof ?? "").plaintext;
  } catch {
    throw new HandshakeRefused("wrong_server");
  }
  if (proven.length !== serverKey.length || !proven.every((byte, at) => byte === serverKey[at])) {
    throw new HandshakeRefused("wrong_server");
  }
}

function refusalOf(code: string | null): HandshakeRefusal {
  return code === "auth_timeout" || code === "auth_required" ? code : "auth_failed";
}
