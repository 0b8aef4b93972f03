/** Turns as screens show them, pure: made from pages of the history, and grown by events. */

import type { FileRef, SessionEvent, ToolActivity, Usage } from "../protocol/messages.ts";
import type { AcceptedMessage } from "../gateway/outbox.ts";
import type { Message } from "../gateway/shapes.ts";
import { dropCodePoints } from "../protocol/cursor.ts";

export interface ToolPart {
  readonly kind: "tool";
  readonly toolId: string;
  readonly name: string;
  readonly input: unknown;
  readonly output: string | null;
  readonly isError: boolean;
  readonly durationMs: number | null;
  readonly isTruncated: boolean;
  readonly isRunning: boolean;
}

/** What an agent did, in its order. */
export type Part =
  { readonly kind: "text"; readonly text: string } | { readonly kind: "thinking"; readonly text: string } | ToolPart;

export type TurnStatus = "queued" | "running" | "done" | "aborted" | "interrupted" | "failed";

export interface Turn {
  readonly id: string;
  /** Null as long as the page that has it is not read. */
  readonly user: { readonly text: string; readonly createdAt: number } | null;
  readonly parts: readonly Part[];
  readonly status: TurnStatus;
  /** What the agent is busy with, in its own words, such as `thinking`. */
  readonly label: string | null;
  readonly files: readonly FileRef[];
  /** Why it was stopped, as in a result. */
  readonly reason: string | null;
  /** Why there is no answer. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly provider: string | null;
  readonly model: string | null;
  readonly usage: Usage | null;
  readonly durationMs: number | null;
}

const STATUSES: readonly TurnStatus[] = ["queued", "running", "done", "aborted", "interrupted", "failed"];

export function newTurn(id: string): Turn {
  return {
    ...{ id, user: null, parts: [], status: "queued", label: null, files: [], reason: null, error: null },
    ...{ provider: null, model: null, usage: null, durationMs: null },
  };
}

export const queuedTurn = ({ turnId, text, createdAt }: AcceptedMessage): Turn => ({
  ...newTurn(turnId),
  user: { text, createdAt },
});

/** The whole text of the answer so far. */
export function textOf(turn: Turn): string {
  return turn.parts.map((part) => (part.kind === "text" ? part.text : "")).join("");
}

export const isOver = ({ status }: Turn): boolean => status !== "queued" && status !== "running";

export function turnsOf(messages: readonly Message[]): Turn[] {
  const turns = new Map<string, Turn>();
  for (const message of messages) {
    const turn = turns.get(message.turnId) ?? newTurn(message.turnId);
    turns.set(message.turnId, message.sender === "user" ? withQuestion(turn, message) : withAnswer(turn, message));
  }
  return [...turns.values()];
}

/** A turn whose two messages came on two pages. */
export function joined(older: Turn, newer: Turn): Turn {
  return older.user === null ? newer : { ...newer, user: older.user };
}

export function withEvent(turn: Turn, event: SessionEvent): Turn {
  switch (event.type) {
    case "user_message":
      return { ...turn, user: { text: event.text, createdAt: event.createdAt } };
    case "text_delta":
      return { ...turn, parts: appended(turn.parts, "text", event.data), status: "running" };
    case "thinking_delta":
      return { ...turn, parts: appended(turn.parts, "thinking", event.data), status: "running" };
    case "tool_activity":
      return { ...turn, parts: withTool(turn.parts, event), status: "running" };
    case "system_status":
      return { ...turn, label: event.label };
    case "result": {
      const { files, reason, provider, model, usage, durationMs } = event;
      const status = reason === null ? "done" : reason === "interrupted" ? "interrupted" : "aborted";
      const parts = stopped(textOf(turn) === event.text ? turn.parts : replaced(turn.parts, event.text));
      return { ...turn, parts, status, label: null, files, reason, provider, model, usage, durationMs, error: null };
    }
    case "turn_failed": {
      const error = { code: event.code, message: event.message };
      return { ...turn, parts: stopped(turn.parts), status: "failed", label: null, error };
    }
    case "approval_request":
    case "approval_resolved":
      return turn; // shown from the gateway's list, which has those of all sessions
  }
}

function withQuestion(turn: Turn, message: Message): Turn {
  return { ...turn, user: { text: message.content, createdAt: message.timestamp }, status: statusIn(message) };
}

function withAnswer(turn: Turn, message: Message): Turn {
  const { files, usage, error, provider, model, durationMs, reason } = message;
  return {
    ...turn,
    parts: partsIn(message),
    status: statusIn(message),
    ...{ files, usage, error, provider, model, durationMs, reason },
  };
}

/** In the order that the gateway tells; an old one has no outline, then tools come first. */
function partsIn({ content, tools, outline, status }: Message): Part[] {
  const used = tools.map(({ name, toolId, input, output, isError, durationMs }): ToolPart => {
    const isRunning = status === "running" && output === null;
    return { kind: "tool", toolId, name, input, output, isError, durationMs, isTruncated: false, isRunning };
  });
  if (outline === null) return [...used, ...(content === "" ? [] : [{ kind: "text", text: content } as const])];
  let rest = content;
  const parts = outline.flatMap((part): Part[] => {
    if (part.type === "thinking") return [{ kind: "thinking", text: part.text ?? "" }];
    if (part.type === "tool") return used.slice(part.tool ?? used.length, (part.tool ?? 0) + 1);
    const after = dropCodePoints(rest, part.chars ?? 0);
    const text = rest.slice(0, rest.length - after.length);
    rest = after;
    return text === "" ? [] : [{ kind: "text", text }];
  });
  return rest === "" ? parts : appended(parts, "text", rest);
}

const statusIn = ({ status }: Message): TurnStatus => STATUSES.find((known) => known === status) ?? "done";

function appended(parts: readonly Part[], kind: "text" | "thinking", data: string): Part[] {
  const last = parts.at(-1);
  return last?.kind === kind
    ? [...parts.slice(0, -1), { kind, text: last.text + data }]
    : [...parts, { kind, text: data }];
}

function withTool(parts: readonly Part[], event: ToolActivity): Part[] {
  const { toolId, name, output, isError, durationMs } = event;
  const at = parts.findLastIndex((part) => part.kind === "tool" && part.toolId === toolId && part.isRunning);
  const begun = parts[at];
  if (event.phase === "start" || begun?.kind !== "tool") {
    const isRunning = event.phase === "start" && toolId !== "";
    const isTruncated = event.truncated;
    return [
      ...parts,
      { kind: "tool", toolId, name, input: event.input, output, isError, durationMs, isTruncated, isRunning },
    ];
  }
  const ended: ToolPart = {
    ...begun,
    ...{ output: output ?? "", isError, durationMs, isTruncated: begun.isTruncated || event.truncated },
    isRunning: false,
  };
  return parts.map((part, place) => (place === at ? ended : part));
}

/** The text that counts, where the deltas were another one or none. */
function replaced(parts: readonly Part[], text: string): Part[] {
  const others = parts.filter((part) => part.kind !== "text");
  return text === "" ? others : [...others, { kind: "text", text }];
}

const stopped = (parts: readonly Part[]): readonly Part[] =>
  parts.map((part) => (part.kind === "tool" && part.isRunning ? { ...part, isRunning: false } : part));
