/** What can go wrong, each as a stable code. What a code means to people is in the catalogues, under `error.CODE`. */

/** Of the gateway, over the socket and in its JSON API. */
const SERVER_CODES = [
  "bad_request",
  "busy",
  "conflict",
  "decrypt_failed",
  "empty",
  "forbidden",
  "internal_error",
  "invalid",
  "no_handler",
  "not_found",
  "provider_unavailable",
  "range_not_satisfiable",
  "rate_limited",
  "too_large",
  "transcription_failed",
  "unauthorized",
  "unavailable",
  "unknown_type",
  "unsupported_media",
] as const;

/** Of this client. */
const CLIENT_CODES = [
  "bad_link",
  "cancelled",
  "connection_lost",
  "credentials_lost",
  "invalid_answer",
  "not_private",
  "session_deleted",
  "storage_failed",
  "storage_full",
  "timed_out",
  "too_late",
] as const;

export const ERROR_CODES = [...SERVER_CODES, ...CLIENT_CODES] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

export class GatewayError extends Error {
  override readonly name = "GatewayError";

  /** `detail`: what the gateway said about it, in its own words. `status`: as in HTTP, for an answer of the JSON API. */
  constructor(
    readonly code: ErrorCode,
    readonly detail: string | null = null,
    readonly status: number | null = null,
  ) {
    super(detail ?? code);
  }
}

/** A code that came from the gateway; one that this version does not know is an `internal_error`. */
export function knownCode(code: unknown): ErrorCode {
  return SERVER_CODES.find((known) => known === code) ?? "internal_error";
}
