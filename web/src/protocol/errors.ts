/** What the other side did that the protocol does not know. */

/** `decrypt_failed`: a frame that does not open, or came before. `invalid`: it opens, and holds no usable message. */
export type TroubleCode = "decrypt_failed" | "invalid";

export class ProtocolTrouble extends Error {
  override readonly name = "ProtocolTrouble";

  constructor(
    readonly code: TroubleCode,
    detail: string,
  ) {
    super(detail);
  }
}

/** Not a usable Curve25519 public key: not base64 of 32 bytes, or a low-order point. */
export class InvalidKey extends Error {
  override readonly name = "InvalidKey";
}
