/**
 * The conversation of one chat for screens: a list of turns, each with a signal of its own, so that a delta draws one row.
 * Events are taken at once and shown once a frame, however many come.
 */

import { batch, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { SessionEvent } from "../protocol/messages.ts";
import type { Chat } from "../gateway/chat.ts";
import type { ErrorCode } from "../gateway/errors.ts";
import type { AcceptedMessage, Outgoing } from "../gateway/outbox.ts";
import type { SessionNews } from "../gateway/session.ts";
import type { Page } from "../gateway/shapes.ts";
import { nextFrame, type Schedule } from "./frame.ts";
import { isOver, joined, newTurn, queuedTurn, turnsOf, withEvent, type Turn } from "./turns.ts";

/** One row; the same object as long as the turn is shown. */
export interface TurnRow {
  readonly id: string;
  readonly turn: ReadonlySignal<Turn>;
}

/** `loading`: nothing to show yet. `deleted`: the session is gone, what is shown is all there is. */
export type TranscriptPhase = "loading" | "ready" | "deleted";

interface Row extends TurnRow {
  readonly turn: Signal<Turn>;
}

export class Transcript {
  readonly rows: ReadonlySignal<readonly TurnRow[]>;
  readonly phase: ReadonlySignal<TranscriptPhase>;
  /** Why the history cannot be read now. */
  readonly trouble: ReadonlySignal<ErrorCode | null>;
  /** Whether there are turns before the first one. */
  readonly hasMore: ReadonlySignal<boolean>;
  readonly isLoadingOlder: ReadonlySignal<boolean>;
  /** Typed here, and not with the gateway yet: below the last turn. */
  readonly outgoing: ReadonlySignal<readonly Outgoing[]>;
  /** Why a message would not survive a reload. */
  readonly storageTrouble: ReadonlySignal<ErrorCode | null>;

  readonly #chat: Chat;
  readonly #schedule: Schedule;
  readonly #rows = signal<readonly Row[]>([]);
  readonly #phase = signal<TranscriptPhase>("loading");
  readonly #trouble = signal<ErrorCode | null>(null);
  readonly #hasMore = signal(false);
  readonly #isLoadingOlder = signal(false);
  readonly #outgoing = signal<readonly Outgoing[]>([]);
  readonly #storageTrouble = signal<ErrorCode | null>(null);
  readonly #endings: (() => void)[];
  /** All rows, the newest ones perhaps not shown yet. */
  #all: readonly Row[] = [];
  #byId = new Map<string, Row>();
  /** Turns that are further than what is shown. */
  #ahead = new Map<string, Turn>();
  #firstMessage: string | null = null;
  /** Taken by the gateway, while no page or event has told of them. */
  readonly #accepted = new Set<string>();
  #isScheduled = false;

  constructor(chat: Chat, schedule: Schedule = nextFrame) {
    this.#chat = chat;
    this.#schedule = schedule;
    this.rows = this.#rows;
    this.phase = this.#phase;
    this.trouble = this.#trouble;
    this.hasMore = this.#hasMore;
    this.isLoadingOlder = this.#isLoadingOlder;
    this.outgoing = this.#outgoing;
    this.storageTrouble = this.#storageTrouble;
    this.#outgoing.value = chat.outbox.messages;
    this.#endings = [
      chat.feed.news.add((news) => this.#take(news)),
      chat.outbox.changes.add((messages) => (this.#outgoing.value = messages)),
      chat.outbox.acceptances.add((message) => this.#accept(message)),
      chat.outbox.storageTroubles.add((code) => (this.#storageTrouble.value = code)),
    ];
    chat.feed.refresh();
  }

  /** Read the page before the first turn. Rejects with GatewayError. */
  async loadOlder(): Promise<void> {
    const before = this.#firstMessage;
    if (before === null || !this.#hasMore.peek() || this.#isLoadingOlder.peek()) return;
    this.#isLoadingOlder.value = true;
    try {
      const page = await this.#chat.feed.older(before);
      if (before === this.#firstMessage) this.#prepend(page);
    } finally {
      this.#isLoadingOlder.value = false;
    }
  }

  close(): void {
    for (const end of this.#endings) end();
  }

  #take(news: SessionNews): void {
    switch (news.kind) {
      case "page":
        this.#begin(news.page);
        break;
      case "event":
        this.#grow(news.event);
        break;
      case "trouble":
        this.#trouble.value = news.code;
        break;
      case "deleted":
        this.#accepted.clear();
        this.#phase.value = "deleted";
    }
  }

  #begin(page: Page): void {
    const turns = turnsOf(page.messages);
    const told = new Set(turns.map(({ id }) => id));
    for (const id of told) this.#accepted.delete(id);
    const waiting = [...this.#accepted].flatMap((id) => this.#current(id) ?? []);
    this.#ahead.clear();
    batch(() => {
      const rows = [...turns, ...waiting].map((turn) => this.#rowOf(turn));
      this.#byId = new Map(rows.map((row) => [row.id, row]));
      this.#rows.value = this.#all = rows;
      this.#firstMessage = page.messages[0]?.id ?? null;
      this.#hasMore.value = page.hasMore;
      this.#trouble.value = null;
      this.#phase.value = "ready";
    });
  }

  #prepend(page: Page): void {
    const older = turnsOf(page.messages);
    batch(() => {
      const added = older.filter(({ id }) => !this.#byId.has(id));
      for (const turn of older) {
        const known = this.#current(turn.id);
        if (known !== null) this.#change(joined(turn, known));
      }
      const rows = added.map((turn) => this.#rowOf(turn));
      for (const row of rows) this.#byId.set(row.id, row);
      this.#rows.value = this.#all = [...rows, ...this.#all];
      this.#firstMessage = page.messages[0]?.id ?? this.#firstMessage;
      this.#hasMore.value = page.hasMore;
    });
  }

  #grow(event: SessionEvent): void {
    if (event.turnId === "") return;
    this.#accepted.delete(event.turnId);
    const known = this.#current(event.turnId);
    if (known !== null && isOver(known)) return; // its end is told again
    if (known === null) this.#insert(newTurn(event.turnId));
    const turn = withEvent(known ?? newTurn(event.turnId), event);
    this.#change(turn);
    if (turn.status === "queued" || isOver(turn)) this.#promote();
  }

  #accept(message: AcceptedMessage): void {
    if (this.#byId.has(message.turnId)) return;
    this.#accepted.add(message.turnId);
    this.#insert(queuedTurn(message));
    this.#promote();
    this.#flush(); // in the same moment in which it is no longer among the outgoing ones
  }

  #insert(turn: Turn): void {
    const row = this.#rowOf(turn);
    this.#byId.set(row.id, row);
    this.#all = [...this.#all, row];
    this.#later();
  }

  /** The first turn that is not over is the one that runs: no event says so before the agent says something. */
  #promote(): void {
    let first: Turn | null = null;
    for (let at = this.#all.length - 1; at >= 0; at--) {
      const turn = this.#current(this.#all[at]?.id ?? "");
      if (turn === null || isOver(turn)) break;
      first = turn;
    }
    if (first?.status === "queued") this.#change({ ...first, status: "running" });
  }

  #rowOf(turn: Turn): Row {
    const known = this.#byId.get(turn.id);
    if (known === undefined) return { id: turn.id, turn: signal(turn) };
    known.turn.value = turn;
    return known;
  }

  #current(id: string): Turn | null {
    return this.#ahead.get(id) ?? this.#byId.get(id)?.turn.peek() ?? null;
  }

  #change(turn: Turn): void {
    this.#ahead.set(turn.id, turn);
    this.#later();
  }

  #later(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#schedule(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    batch(() => {
      for (const [id, turn] of this.#ahead) {
        const row = this.#byId.get(id);
        if (row !== undefined) row.turn.value = turn;
      }
      this.#ahead.clear();
      this.#rows.value = this.#all;
    });
  }
}
