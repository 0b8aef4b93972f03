/** What the JSON API tells, under the names of docs/http.md, in camel case. */

import { anything, bool, list, num, orNull, record, str, type Shape } from "../protocol/shape.ts";

export const sessionShape = record({
  id: str,
  agent: str,
  title: str,
  chatId: num,
  channelId: orNull(num),
  createdAt: num,
  updatedAt: num,
  archived: bool,
  provider: orNull(str),
  model: orNull(str),
  messageCount: num,
});
export type Session = Shape<typeof sessionShape>;

const fileShape = record({ path: str, name: str, isImage: bool });
const toolShape = record({
  name: str,
  toolId: str,
  input: anything,
  output: orNull(str),
  isError: bool,
  durationMs: orNull(num),
});
const partShape = record({ type: str, chars: orNull(num), text: orNull(str), tool: orNull(num) }); // text | thinking | tool
const usageShape = record({ inputTokens: num, outputTokens: num, costUsd: orNull(num) });

export const messageShape = record({
  id: str,
  turnId: str,
  sender: str, // user | agent
  content: str,
  timestamp: num,
  files: list(fileShape),
  tools: list(toolShape),
  usage: orNull(usageShape),
  status: str, // queued | running | done | aborted | interrupted | failed
  /** Null from gateways of before it was told. */
  outline: orNull(list(partShape)),
  provider: orNull(str),
  model: orNull(str),
  durationMs: orNull(num),
  reason: orNull(str),
  error: orNull(record({ code: str, message: str })),
});
export type Message = Shape<typeof messageShape>;

export const pageShape = record({ messages: list(messageShape), hasMore: bool, total: num, cursor: str });
export type Page = Shape<typeof pageShape>;

export const chosenShape = record({ sessionId: str, provider: orNull(str), model: orNull(str) });
export type Chosen = Shape<typeof chosenShape>;

export const pastApprovalShape = record({
  id: str,
  sessionId: str,
  turnId: str,
  agent: str,
  tool: str,
  summary: str,
  askedAt: num,
  decision: orNull(str),
  decidedBy: orNull(str),
  decidedAt: orNull(num),
});
export type PastApproval = Shape<typeof pastApprovalShape>;

export const ruleShape = record({ id: str, agent: str, tool: str, pattern: str, madeBy: orNull(str), createdAt: num });
export type Rule = Shape<typeof ruleShape>;

export const providerShape = record({
  id: str,
  name: str,
  color: str,
  models: list(str),
  available: bool,
  reason: orNull(str),
  remedy: orNull(str),
});
export type Provider = Shape<typeof providerShape>;

export const agentShape = record({
  name: str,
  title: str,
  provider: orNull(str),
  model: orNull(str),
  hasAvatar: bool,
});
export type Agent = Shape<typeof agentShape>;

export const statusShape = record({
  version: str,
  uptimeS: num,
  connections: num,
  sessions: num,
  turnsRunning: num,
  turnsQueued: num,
  maxParallelTurns: num,
  processes: list(record({ provider: str, count: num })),
  approvalsPending: num,
  provider: orNull(str),
  model: orNull(str),
});
export type Status = Shape<typeof statusShape>;

/** A task, or one run of a cron job or webhook. */
export const runShape = record({
  id: str,
  source: str,
  sourceId: orNull(str),
  title: str,
  prompt: str,
  agent: str,
  provider: orNull(str),
  model: orNull(str),
  status: str, // queued | running | done | failed | aborted | interrupted | skipped
  createdAt: num,
  startedAt: orNull(num),
  endedAt: orNull(num),
  durationS: orNull(num),
  sessionId: orNull(str),
  chatId: orNull(num),
  channelId: orNull(num),
  answer: orNull(str),
  error: orNull(str),
  attempt: num,
});
export type Run = Shape<typeof runShape>;

export const cronJobShape = record({
  id: str,
  title: str,
  schedule: str,
  timezone: str,
  prompt: str,
  agent: str,
  provider: orNull(str),
  model: orNull(str),
  chatId: orNull(num),
  channelId: orNull(num),
  quietFrom: orNull(str),
  quietTo: orNull(str),
  enabled: bool,
  missed: str, // skip | run_once
  createdAt: num,
  updatedAt: num,
  nextRunAt: orNull(num),
  lastRun: orNull(runShape),
});
export type CronJob = Shape<typeof cronJobShape>;

const hookFields = {
  id: str,
  title: str,
  path: str,
  mode: str, // task | chat
  template: str,
  auth: str, // bearer | github | stripe
  agent: str,
  provider: orNull(str),
  model: orNull(str),
  chatId: orNull(num),
  channelId: orNull(num),
  enabled: bool,
  createdAt: num,
  updatedAt: num,
};
export const webhookShape = record(hookFields);
export type Webhook = Shape<typeof webhookShape>;
export const newWebhookShape = record({ ...hookFields, secret: str });
export type NewWebhook = Shape<typeof newWebhookShape>;
export const secretShape = record({ secret: str });
export const deliveryShape = record({ deliveryId: str, receivedAt: num, runId: orNull(str), refusal: orNull(str) });
export type Delivery = Shape<typeof deliveryShape>;
export const receiptShape = record({ deliveryId: str, runId: str, duplicate: bool });
export type Receipt = Shape<typeof receiptShape>;

export const transcriptShape = record({ text: str, engine: str, durationS: orNull(num) });
export type Transcript = Shape<typeof transcriptShape>;
export const fileLinkShape = record({ url: str, expiresAt: num });
export type FileLink = Shape<typeof fileLinkShape>;
export const uploadShape = record({ path: str, name: str, mime: str, size: num, prompt: str });
export type Upload = Shape<typeof uploadShape>;
export const countShape = record({ count: num });
export const updatedShape = record({ updated: num });
export const settledShape = record({ id: str, decision: str });

// --- what is asked for ------------------------------------------------------------------------------------------------

export interface PageWanted {
  readonly limit?: number;
  readonly before?: string;
}

export interface SessionsWanted extends PageWanted {
  readonly chatId?: number;
  readonly agent?: string;
  readonly includeArchived?: boolean;
}

export interface NewSession {
  readonly agent?: string;
  readonly title?: string;
  readonly chatId?: number;
}

/** Null: the gateway's default. */
export interface Choice {
  readonly provider: string | null;
  readonly model: string | null;
}

export interface NewTask {
  readonly prompt: string;
  readonly title?: string;
  readonly agent?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly repeats?: boolean;
}

export interface CronJobWanted {
  readonly title: string;
  readonly schedule: string;
  readonly prompt: string;
  readonly timezone?: string | null;
  readonly agent?: string | null;
  readonly provider?: string | null;
  readonly model?: string | null;
  readonly chatId?: number | null;
  readonly channelId?: number | null;
  readonly quietFrom?: string | null;
  readonly quietTo?: string | null;
  readonly enabled?: boolean;
  readonly missed?: "skip" | "run_once";
}

export interface WebhookWanted {
  readonly title: string;
  readonly template: string;
  readonly mode?: "task" | "chat";
  readonly auth?: "bearer" | "github" | "stripe";
  readonly secret?: string | null;
  readonly agent?: string | null;
  readonly provider?: string | null;
  readonly model?: string | null;
  readonly chatId?: number | null;
  readonly channelId?: number | null;
  readonly enabled?: boolean;
}
