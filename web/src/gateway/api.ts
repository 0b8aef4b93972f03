/** The JSON API as calls. Each rejects with GatewayError; an answer that is not what docs/http.md says is `invalid_answer`. */

import { isFields, type Json } from "../protocol/json.ts";
import {
  approvalRequestIn,
  notificationShape,
  type ApprovalRequest,
  type Decision,
  type Method,
  type Notification,
} from "../protocol/messages.ts";
import { ProtocolTrouble } from "../protocol/errors.ts";
import { list, nothing, onTheWire, type Reader } from "../protocol/shape.ts";
import { GatewayError } from "./errors.ts";
import { TIMEOUT_MS, type RequestOptions, type Requests } from "./requests.ts";
import * as shapes from "./shapes.ts";

/** Speech takes its time: as long as the longest engine may work, and then the others. */
const TRANSCRIBE_MS = 15 * 60_000;

const pendingShape: Reader<ApprovalRequest> = (value) => {
  if (!isFields(value)) throw new ProtocolTrouble("invalid", "not an object");
  return approvalRequestIn(value);
};

export class Api {
  readonly #requests: Requests;

  constructor(requests: Requests) {
    this.#requests = requests;
  }

  readonly sessions = {
    list: (wanted: shapes.SessionsWanted = {}): Promise<readonly shapes.Session[]> =>
      this.#get(`/api/chat/sessions${query(wanted)}`, list(shapes.sessionShape)),
    get: (id: string): Promise<shapes.Session> => this.#get(session(id), shapes.sessionShape),
    create: (wanted: shapes.NewSession = {}): Promise<shapes.Session> =>
      this.#post("/api/chat/sessions", shapes.sessionShape, wanted),
    rename: (id: string, title: string): Promise<shapes.Session> =>
      this.#put(session(id), shapes.sessionShape, { title }),
    remove: (id: string): Promise<void> => this.#delete(session(id), nothing),
    archive: (id: string): Promise<shapes.Session> => this.#again(`${session(id)}/archive`, shapes.sessionShape),
    unarchive: (id: string): Promise<shapes.Session> => this.#again(`${session(id)}/unarchive`, shapes.sessionShape),
    messages: (id: string, wanted: shapes.PageWanted = {}): Promise<shapes.Page> =>
      this.#get(`${session(id)}/messages${query(wanted)}`, shapes.pageShape),
    choose: (id: string, choice: shapes.Choice): Promise<shapes.Chosen> =>
      this.#again(`${session(id)}/provider`, shapes.chosenShape, choice),
  };

  readonly approvals = {
    pending: (): Promise<readonly ApprovalRequest[]> => this.#get("/api/approvals", list(pendingShape)),
    answer: (id: string, decision: Decision): Promise<unknown> =>
      this.#post(`/api/approvals/${encodeURIComponent(id)}`, shapes.settledShape, { decision }),
    history: (wanted: shapes.PageWanted = {}): Promise<readonly shapes.PastApproval[]> =>
      this.#get(`/api/approvals/history${query(wanted)}`, list(shapes.pastApprovalShape)),
    rules: (): Promise<readonly shapes.Rule[]> => this.#get("/api/approvals/rules", list(shapes.ruleShape)),
    revoke: (id: string): Promise<shapes.Rule> =>
      this.#delete(`/api/approvals/rules/${encodeURIComponent(id)}`, shapes.ruleShape),
  };

  readonly notifications = {
    list: (wanted: shapes.PageWanted & { readonly unreadOnly?: boolean } = {}): Promise<readonly Notification[]> =>
      this.#get(`/api/notifications${query(wanted)}`, list(notificationShape)),
    unreadCount: async (): Promise<number> =>
      (await this.#get("/api/notifications/unread-count", shapes.countShape)).count,
    read: (id: string): Promise<Notification> =>
      this.#put(`/api/notifications/${encodeURIComponent(id)}/read`, notificationShape),
    readAll: async (): Promise<number> =>
      (await this.#again("/api/notifications/read-all", shapes.updatedShape)).updated,
  };

  readonly tasks = {
    list: (wanted: shapes.PageWanted = {}): Promise<readonly shapes.Run[]> =>
      this.#get(`/api/tasks${query(wanted)}`, list(shapes.runShape)),
    get: (id: string): Promise<shapes.Run> => this.#get(task(id), shapes.runShape),
    messages: (id: string, wanted: shapes.PageWanted = {}): Promise<shapes.Page> =>
      this.#get(`${task(id)}/messages${query(wanted)}`, shapes.pageShape),
    create: (wanted: shapes.NewTask): Promise<shapes.Run> => this.#post("/api/tasks", shapes.runShape, wanted),
    rename: (id: string, title: string): Promise<shapes.Run> => this.#put(task(id), shapes.runShape, { title }),
    cancel: (id: string): Promise<shapes.Run> => this.#post(`${task(id)}/cancel`, shapes.runShape),
    remove: (id: string): Promise<void> => this.#delete(task(id), nothing),
  };

  readonly cron = {
    list: (): Promise<readonly shapes.CronJob[]> => this.#get("/api/cron", list(shapes.cronJobShape)),
    get: (id: string): Promise<shapes.CronJob> => this.#get(cronJob(id), shapes.cronJobShape),
    create: (wanted: shapes.CronJobWanted): Promise<shapes.CronJob> =>
      this.#post("/api/cron", shapes.cronJobShape, wanted),
    change: (id: string, wanted: Partial<shapes.CronJobWanted>): Promise<shapes.CronJob> =>
      this.#put(cronJob(id), shapes.cronJobShape, wanted),
    remove: (id: string): Promise<void> => this.#delete(cronJob(id), nothing),
    run: (id: string): Promise<shapes.Run> => this.#post(`${cronJob(id)}/run`, shapes.runShape),
    runs: (id: string, wanted: { readonly limit?: number } = {}): Promise<readonly shapes.Run[]> =>
      this.#get(`${cronJob(id)}/runs${query(wanted)}`, list(shapes.runShape)),
  };

  readonly webhooks = {
    list: (): Promise<readonly shapes.Webhook[]> => this.#get("/api/webhooks", list(shapes.webhookShape)),
    get: (id: string): Promise<shapes.Webhook> => this.#get(webhook(id), shapes.webhookShape),
    /** The answer's `secret` is never shown again. */
    create: (wanted: shapes.WebhookWanted): Promise<shapes.NewWebhook> =>
      this.#post("/api/webhooks", shapes.newWebhookShape, wanted),
    change: (id: string, wanted: Partial<Omit<shapes.WebhookWanted, "auth">>): Promise<shapes.Webhook> =>
      this.#put(webhook(id), shapes.webhookShape, wanted),
    remove: (id: string): Promise<void> => this.#delete(webhook(id), nothing),
    newSecret: async (id: string, secret?: string): Promise<string> =>
      (await this.#post(`${webhook(id)}/secret`, shapes.secretShape, { secret })).secret,
    test: (id: string, payload?: Record<string, Json>): Promise<shapes.Receipt> =>
      this.#post(`${webhook(id)}/test`, shapes.receiptShape, payload === undefined ? undefined : { payload }),
    deliveries: (id: string, wanted: { readonly limit?: number } = {}): Promise<readonly shapes.Delivery[]> =>
      this.#get(`${webhook(id)}/deliveries${query(wanted)}`, list(shapes.deliveryShape)),
    runs: (id: string, wanted: shapes.PageWanted = {}): Promise<readonly shapes.Run[]> =>
      this.#get(`${webhook(id)}/runs${query(wanted)}`, list(shapes.runShape)),
  };

  agents = (): Promise<readonly shapes.Agent[]> => this.#get("/api/agents", list(shapes.agentShape));

  providers = (wanted: { readonly refresh?: boolean } = {}): Promise<readonly shapes.Provider[]> =>
    this.#get(`/api/providers${query(wanted)}`, list(shapes.providerShape));

  status = (): Promise<shapes.Status> => this.#get("/api/status", shapes.statusShape);

  /** What is said in a recording that the gateway has at `filePath`. */
  transcribe = (filePath: string, signal?: AbortSignal): Promise<shapes.Transcript> =>
    this.#ask("POST", "/api/transcribe", shapes.transcriptShape, {
      ...{ body: { file_path: filePath }, again: true, timeoutMs: TRANSCRIBE_MS },
      ...(signal === undefined ? {} : { signal }),
    });

  /** An address, relative to the gateway's, that shows one of its files without a token for ten minutes. */
  fileLink = (path: string): Promise<shapes.FileLink> => this.#again("/api/files/link", shapes.fileLinkShape, { path });

  #get<T>(path: string, shape: Reader<T>): Promise<T> {
    return this.#ask("GET", path, shape);
  }

  #put<T>(path: string, shape: Reader<T>, body?: object): Promise<T> {
    return this.#ask("PUT", path, shape, bodyOf(body));
  }

  #post<T>(path: string, shape: Reader<T>, body?: object): Promise<T> {
    return this.#ask("POST", path, shape, bodyOf(body));
  }

  /** A POST that does no harm when it is done twice. */
  #again<T>(path: string, shape: Reader<T>, body?: object): Promise<T> {
    return this.#ask("POST", path, shape, { ...bodyOf(body), again: true });
  }

  #delete<T>(path: string, shape: Reader<T>): Promise<T> {
    return this.#ask("DELETE", path, shape);
  }

  async #ask<T>(method: Method, path: string, shape: Reader<T>, options: RequestOptions = {}): Promise<T> {
    const body = await this.#requests.ask(method, path, { timeoutMs: TIMEOUT_MS, ...options });
    try {
      return shape(body);
    } catch (error) {
      if (error instanceof ProtocolTrouble) throw new GatewayError("invalid_answer", error.message);
      throw error;
    }
  }
}

const session = (id: string): string => `/api/chat/sessions/${encodeURIComponent(id)}`;
const task = (id: string): string => `/api/tasks/${encodeURIComponent(id)}`;
const cronJob = (id: string): string => `/api/cron/${encodeURIComponent(id)}`;
const webhook = (id: string): string => `/api/webhooks/${encodeURIComponent(id)}`;

const bodyOf = (body: object | undefined): RequestOptions =>
  body === undefined ? {} : { body: onTheWire(body) as Record<string, Json> };

function query(wanted: object): string {
  const fields = Object.entries(onTheWire(wanted)).map(([name, value]) => [name, String(value)]);
  return fields.length === 0 ? "" : `?${new URLSearchParams(fields).toString()}`;
}
