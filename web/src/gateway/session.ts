/**
 * Follows one session: a page of its history first, then every event once and in order, over lost connections. Where the
 * gateway cannot tell what was missed, there is a new page, which stands in for all that was told before.
 */

import { codePoints, dropCodePoints, placeOf, type Place } from "../protocol/cursor.ts";
import type { Hello } from "../protocol/auth.ts";
import type { ServerEvent, SessionEvent } from "../protocol/messages.ts";
import type { Api } from "./api.ts";
import type { Connection } from "./connection.ts";
import { GatewayError, type ErrorCode } from "./errors.ts";
import { Listeners } from "./listeners.ts";
import { Pauses } from "./pauses.ts";
import type { Page } from "./shapes.ts";

export type SessionNews =
  /** Forget what came before: this is where the session stands. */
  | { readonly kind: "page"; readonly page: Page; readonly sessionId: string }
  | { readonly kind: "event"; readonly event: SessionEvent }
  /** The history cannot be read now; it is tried again. */
  | { readonly kind: "trouble"; readonly code: ErrorCode }
  | { readonly kind: "deleted" };

const PAGE = 50;
const LEAST_PAUSE_MS = 1_000;

export class SessionFeed {
  readonly news = new Listeners<[SessionNews]>();

  readonly #connection: Connection;
  readonly #api: Api;
  readonly #pauses = new Pauses();
  readonly #endings: (() => void)[];
  #sessionId: string | null = null;
  #cursor: string | null = null;
  #place: Place | null = null;
  /** What arrives while a page is read; null while none is. */
  #early: SessionEvent[] | null = [];
  #reading = 0;
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(connection: Connection, api: Api) {
    this.#connection = connection;
    this.#api = api;
    this.#endings = [
      connection.hellos.add((hello) => this.#begin(hello)),
      connection.events.add((event) => this.#take(event)),
      connection.losses.add(() => clearTimeout(this.#pause)),
    ];
  }

  get sessionId(): string | null {
    return this.#sessionId;
  }

  /** The place behind all that was told; what the next connection asks for. Null before the first page. */
  get cursor(): string | null {
    return this.#cursor;
  }

  /** The messages before the message `before`. Rejects with GatewayError. */
  async older(before: string, limit = PAGE): Promise<Page> {
    if (this.#sessionId === null) throw new GatewayError("connection_lost");
    return this.#api.sessions.messages(this.#sessionId, { limit, before });
  }

  /** For a listener that comes late: tell a new page, if the connection is there; else the next one brings it. */
  refresh(): void {
    if (this.#sessionId === null || this.#connection.hello === null) {
      this.#sessionId = null;
      return;
    }
    this.#start(this.#sessionId);
  }

  close(): void {
    clearTimeout(this.#pause);
    this.#reading++;
    for (const end of this.#endings) end();
  }

  #begin(hello: Hello): void {
    const isSame = this.#sessionId === hello.sessionId;
    this.#sessionId = hello.sessionId;
    if (isSame && hello.resume === "ok") return;
    this.#start(hello.sessionId);
  }

  #start(sessionId: string): void {
    clearTimeout(this.#pause);
    this.#cursor = this.#place = null;
    this.#early = [];
    void this.#read(sessionId, ++this.#reading);
  }

  /** The session as it stands, and then what arrived meanwhile and is not in there. */
  async #read(sessionId: string, reading: number): Promise<void> {
    let page: Page;
    try {
      page = await this.#api.sessions.messages(sessionId, { limit: PAGE });
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (reading !== this.#reading) return;
      this.news.tell({ kind: "trouble", code: error.code });
      if (this.#connection.hello !== null) {
        this.#pause = setTimeout(() => void this.#read(sessionId, reading), this.#pauses.next(LEAST_PAUSE_MS));
      }
      return;
    }
    if (reading !== this.#reading) return; // there is another connection, or nobody follows any more
    this.#pauses.reset();
    this.#cursor = page.cursor;
    this.#place = placeOf(page.cursor);
    this.news.tell({ kind: "page", page, sessionId });
    const early = this.#early ?? [];
    this.#early = null;
    for (const event of early) this.#deliver(event);
  }

  #take(event: ServerEvent): void {
    if (event.type === "session_deleted") {
      this.#reading++;
      this.#sessionId = this.#cursor = this.#place = null;
      this.#early = [];
      this.news.tell({ kind: "deleted" });
    } else if (isOfSession(event)) {
      if (this.#early === null) this.#deliver(event);
      else this.#early.push(event);
    }
  }

  /** A delta may begin before the place that was reached and end behind it: then its rest is news. */
  #deliver(event: SessionEvent): void {
    const place = placeOf(event.cursor);
    const reached = this.#place;
    if (place === null) {
      this.news.tell({ kind: "event", event }); // the end of a turn, told again
      return;
    }
    let news = event;
    if (reached?.epoch === place.epoch) {
      if (place.seq <= reached.seq) return;
      if (event.type === "text_delta" || event.type === "thinking_delta") {
        const known = reached.seq - (place.seq - codePoints(event.data));
        if (known > 0) news = { ...event, data: dropCodePoints(event.data, known) };
      }
    }
    this.#place = place;
    this.#cursor = event.cursor;
    this.news.tell({ kind: "event", event: news });
  }
}

/** Requests for approvals of other sessions come without a place. */
function isOfSession(event: ServerEvent): event is SessionEvent {
  switch (event.type) {
    case "result":
    case "turn_failed":
      return true;
    case "user_message":
    case "text_delta":
    case "thinking_delta":
    case "system_status":
    case "tool_activity":
    case "approval_request":
    case "approval_resolved":
      return event.cursor !== "";
    default:
      return false;
  }
}
