/**
 * What a client says and what a server says, typed. Fields and types that this version does not know are passed over;
 * a known event with a wrong required field is ProtocolTrouble(invalid).
 */

import {
  encodeJson,
  flag,
  isFields,
  maybeNumber,
  maybeText,
  number,
  objects,
  parseObject,
  text,
  texts,
  type Fields,
  type Json,
} from "./json.ts";
import { bool, num, orNull, record, str, type Shape } from "./shape.ts";

export type Decision = "allow_once" | "allow_always" | "deny";
/** Also what becomes of a request that nobody answered, or nobody needs any more. An open set. */
export type Outcome = Decision | "expired" | "cancelled";
export type Method = "GET" | "POST" | "PUT" | "DELETE";

export type ClientMessage =
  | { readonly type: "message"; readonly text: string; readonly id: string }
  | { readonly type: "abort"; readonly scope?: "channel" }
  | { readonly type: "ping" }
  | { readonly type: "approval"; readonly id: string; readonly decision: Decision }
  | {
      readonly type: "request";
      readonly id: string;
      readonly method: Method;
      readonly path: string;
      readonly body?: Json;
    };

export interface FileRef {
  readonly path: string;
  readonly name: string;
  readonly isImage: boolean;
}

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Null where the provider does not tell. */
  readonly costUsd: number | null;
}

/** Where an event belongs. Both are empty for what belongs to no turn, or has no place in the session's log. */
interface Placed {
  readonly turnId: string;
  readonly cursor: string;
}

export interface ToolActivity extends Placed {
  readonly type: "tool_activity";
  readonly name: string;
  /** Empty where the server tells no details; then there is no end either. */
  readonly toolId: string;
  readonly phase: "start" | "end";
  readonly input: unknown;
  readonly output: string | null;
  readonly isError: boolean;
  readonly durationMs: number | null;
  readonly truncated: boolean;
}

export interface ApprovalRequest extends Placed {
  readonly type: "approval_request";
  readonly id: string;
  readonly sessionId: string;
  readonly agent: string;
  readonly tool: string;
  readonly summary: string;
  readonly input: unknown;
  /** The input was too long: `input` is how its JSON begins. */
  readonly truncated: boolean;
  readonly options: readonly Decision[];
  /** What a rule would hold for, made by `allow_always`. */
  readonly pattern: string;
  /** Epoch seconds; nobody by then means no. */
  readonly expiresAt: number;
}

export interface ApprovalResolved extends Placed {
  readonly type: "approval_resolved";
  readonly id: string;
  readonly decision: Outcome;
  readonly by: string | null;
}

export interface Result extends Placed {
  readonly type: "result";
  readonly text: string;
  /** The agent could not stream: `text` is the only copy. */
  readonly isOnlyCopy: boolean;
  readonly files: readonly FileRef[];
  /** Null unless it was stopped. An open set: abort, interrupted, shutdown, timeout, answer_too_large. */
  readonly reason: string | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly usage: Usage | null;
  readonly durationMs: number | null;
}

export interface UserMessage extends Placed {
  readonly type: "user_message";
  readonly id: string | null;
  readonly text: string;
  readonly createdAt: number;
}

/** The end of a turn that has no answer. */
export interface TurnFailed extends Placed {
  readonly type: "turn_failed";
  readonly code: string;
  readonly message: string;
}

/** What a cron job, a webhook or a task came to, as it is pushed and as `GET /api/notifications` lists it. */
export const notificationShape = record({
  id: str,
  type: str, // cron | webhook | task | system
  title: str,
  body: str,
  agent: orNull(str),
  status: orNull(str),
  sourceId: orNull(str),
  severity: str, // info | warning | critical
  createdAt: num,
  read: bool,
  chatId: orNull(num),
  channelId: orNull(num),
  sessionId: orNull(str),
});
export type Notification = Shape<typeof notificationShape>;

/** What has its place in a session: heard by everybody who follows it, in one order. */
export type SessionEvent =
  | UserMessage
  | (Placed & { readonly type: "text_delta"; readonly data: string })
  | (Placed & { readonly type: "thinking_delta"; readonly data: string })
  | (Placed & { readonly type: "system_status"; readonly label: string | null })
  | ToolActivity
  | ApprovalRequest
  | ApprovalResolved
  | Result
  | TurnFailed;

export interface Accepted {
  readonly type: "accepted";
  readonly id: string;
  readonly turnId: string;
  /** Turns that are still ahead. */
  readonly position: number;
  readonly duplicate: boolean;
}

/** One message of ours was refused; `id` is its name, if it had one. */
export interface Refused {
  readonly type: "refused";
  readonly code: string;
  readonly message: string;
  readonly id: string | null;
}

export interface Response {
  readonly type: "response";
  readonly id: string;
  readonly status: number;
  readonly body: unknown;
}

export type ServerEvent =
  | SessionEvent
  | Accepted
  | Refused
  | Response
  | { readonly type: "abort_ok"; readonly killed: number }
  | { readonly type: "pong" }
  | { readonly type: "notification"; readonly notification: Notification }
  | { readonly type: "notification_read"; readonly ids: readonly string[] }
  | { readonly type: "session_deleted" };

/** Codes of errors that end a turn; every other one refuses one message. */
const TURN_ENDING = new Set(["internal_error", "provider_unavailable"]);

const DECISIONS: ReadonlySet<string> = new Set<Decision>(["allow_once", "allow_always", "deny"]);

export const isDecision = (value: string): value is Decision => DECISIONS.has(value);

export const encodeClientMessage = (message: ClientMessage): Uint8Array => encodeJson(message);

/** The text without lone surrogates, which the gateway refuses, and without U+0000, which it would replace. */
export const sendable = (typed: string): string => typed.replace(/\p{Surrogate}|\0/gu, "\ufffd");

/** The event in an opened frame, or null for a type that this version does not know. Throws ProtocolTrouble(invalid). */
export function decodeServerEvent(plaintext: Uint8Array): ServerEvent | null {
  const fields = parseObject(plaintext);
  const reader = READERS.get(fields["type"]);
  return reader === undefined ? null : reader(fields);
}

/** A request that waits, as it is pushed and as `GET /api/approvals` lists it. */
export function approvalRequestIn(fields: Fields): ApprovalRequest {
  return {
    type: "approval_request",
    id: text(fields, "id"),
    sessionId: text(fields, "session_id"),
    agent: text(fields, "agent"),
    tool: text(fields, "tool"),
    summary: maybeText(fields, "summary") ?? "",
    input: fields["input"] ?? null,
    truncated: flag(fields, "truncated"),
    options: texts(fields, "options").filter(isDecision),
    pattern: maybeText(fields, "pattern") ?? "",
    expiresAt: number(fields, "expires_at"),
    ...placed(fields),
  };
}

export function usageIn(value: unknown): Usage | null {
  if (!isFields(value)) return null;
  return {
    inputTokens: maybeNumber(value, "input_tokens") ?? 0,
    outputTokens: maybeNumber(value, "output_tokens") ?? 0,
    costUsd: maybeNumber(value, "cost_usd"),
  };
}

export function filesIn(fields: Fields): FileRef[] {
  return objects(fields, "files").map((file) => ({
    path: text(file, "path"),
    name: maybeText(file, "name") ?? "",
    isImage: flag(file, "is_image"),
  }));
}

const placed = (fields: Fields): Placed => ({
  turnId: maybeText(fields, "turn_id") ?? "",
  cursor: maybeText(fields, "cursor") ?? "",
});

const READERS: ReadonlyMap<unknown, (fields: Fields) => ServerEvent> = new Map<
  unknown,
  (fields: Fields) => ServerEvent
>([
  ["text_delta", (fields) => ({ type: "text_delta", data: text(fields, "data"), ...placed(fields) })],
  ["thinking_delta", (fields) => ({ type: "thinking_delta", data: text(fields, "data"), ...placed(fields) })],
  ["system_status", (fields) => ({ type: "system_status", label: maybeText(fields, "data"), ...placed(fields) })],
  ["tool_activity", toolActivityIn],
  ["user_message", userMessageIn],
  ["approval_request", approvalRequestIn],
  ["approval_resolved", approvalResolvedIn],
  ["result", resultIn],
  ["error", errorIn],
  ["accepted", acceptedIn],
  ["abort_ok", (fields) => ({ type: "abort_ok", killed: number(fields, "killed") })],
  ["pong", () => ({ type: "pong" })],
  ["notification", (fields) => ({ type: "notification", notification: notificationShape(fields["notification"]) })],
  ["notification_read", (fields) => ({ type: "notification_read", ids: texts(fields, "ids") })],
  ["session_deleted", () => ({ type: "session_deleted" })],
  ["response", responseIn],
]);

function toolActivityIn(fields: Fields): ToolActivity {
  return {
    type: "tool_activity",
    name: text(fields, "data"),
    toolId: maybeText(fields, "tool_id") ?? "",
    phase: fields["phase"] === "end" ? "end" : "start",
    input: fields["input"] ?? null,
    output: maybeText(fields, "output"),
    isError: flag(fields, "is_error"),
    durationMs: maybeNumber(fields, "duration_ms"),
    truncated: flag(fields, "truncated"),
    ...placed(fields),
  };
}

function userMessageIn(fields: Fields): UserMessage {
  return {
    type: "user_message",
    id: maybeText(fields, "id"),
    text: text(fields, "text"),
    createdAt: number(fields, "created_at"),
    ...placed(fields),
  };
}

function approvalResolvedIn(fields: Fields): ApprovalResolved {
  const decision = text(fields, "decision");
  return {
    type: "approval_resolved",
    id: text(fields, "id"),
    decision: isDecision(decision) || decision === "expired" ? decision : "cancelled",
    by: maybeText(fields, "by"),
    ...placed(fields),
  };
}

function resultIn(fields: Fields): Result {
  return {
    type: "result",
    text: text(fields, "text"),
    isOnlyCopy: flag(fields, "stream_fallback"),
    files: filesIn(fields),
    reason: flag(fields, "aborted") ? (maybeText(fields, "reason") ?? "abort") : null,
    provider: maybeText(fields, "provider"),
    model: maybeText(fields, "model"),
    usage: usageIn(fields["usage"]),
    durationMs: maybeNumber(fields, "duration_ms"),
    ...placed(fields),
  };
}

function errorIn(fields: Fields): TurnFailed | Refused {
  const code = text(fields, "code");
  const message = maybeText(fields, "message") ?? "";
  const id = maybeText(fields, "id");
  return id === null && TURN_ENDING.has(code)
    ? { type: "turn_failed", code, message, ...placed(fields) }
    : { type: "refused", code, message, id };
}

function acceptedIn(fields: Fields): Accepted {
  return {
    type: "accepted",
    id: text(fields, "id"),
    turnId: text(fields, "turn_id"),
    position: maybeNumber(fields, "position") ?? 0,
    duplicate: flag(fields, "duplicate"),
  };
}

function responseIn(fields: Fields): Response {
  return {
    type: "response",
    id: text(fields, "id"),
    status: number(fields, "status"),
    body: fields["body"] ?? null,
  };
}
