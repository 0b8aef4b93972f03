/**
 * What was typed in one chat and is not with the gateway yet. Each message has an id, is kept in the browser's database
 * until the gateway has stored it, and is sent again after a lost connection or a reload; the gateway runs it once.
 * One at a time, so that they arrive in their order.
 */

import { sendable, type ServerEvent } from "../protocol/messages.ts";
import type { Connection } from "./connection.ts";
import { GatewayError, knownCode, type ErrorCode } from "./errors.ts";
import type { KeptMessages } from "./kept-messages.ts";
import { Listeners } from "./listeners.ts";
import { newName } from "./names.ts";
import { Pauses } from "./pauses.ts";
import type { Tabs } from "./tabs.ts";

export interface Outgoing {
  readonly id: string;
  readonly text: string;
  readonly createdAt: number;
  /** `failed`: the gateway does not take it, for `error`; it waits for `retry` or `discard`. */
  readonly state: "waiting" | "sending" | "failed";
  readonly error: ErrorCode | null;
  /** False as long as a reload would lose it. */
  readonly isKept: boolean;
}

export interface AcceptedMessage {
  readonly id: string;
  readonly text: string;
  readonly createdAt: number;
  readonly turnId: string;
  readonly position: number;
}

export interface OutboxOptions {
  readonly connection: Connection;
  readonly kept: KeptMessages;
  readonly tabs: Tabs;
  /** The gateway and the chat, as messages are filed. */
  readonly gateway: string;
  readonly chat: string;
}

/** The gateway may well take the message in a moment. */
const TRY_AGAIN: ReadonlySet<string> = new Set(["busy", "unavailable", "rate_limited"]);
const LEAST_PAUSE_MS = 1_000;

interface Entry extends Outgoing {
  /** Where the database has it; null if it does not. */
  readonly order: number | null;
  /** The database was asked to keep it, and has answered. */
  readonly isReady: boolean;
}

export class Outbox {
  /** Told whenever `messages` is another list. */
  readonly changes = new Listeners<[readonly Outgoing[]]>();
  /** The gateway has a message: from here on it is a turn. */
  readonly acceptances = new Listeners<[AcceptedMessage]>();
  /** What other pages left behind is among `messages` now; told once for each connection. */
  readonly adoptions = new Listeners<[]>();
  /** A message could not be kept: a reload would lose it. Null: one could again. */
  readonly storageTroubles = new Listeners<[ErrorCode | null]>();

  readonly #options: OutboxOptions;
  readonly #pauses = new Pauses();
  readonly #endings: (() => void)[];
  #entries: readonly Entry[] = [];
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    const { connection, tabs } = options;
    this.#endings = [
      connection.hellos.add(() => void this.#adopt()),
      connection.events.add((event) => this.#take(event)),
      connection.losses.add(() => this.#lose()),
      tabs.departures.add(() => void this.#adopt()),
    ];
  }

  get messages(): readonly Outgoing[] {
    return this.#entries;
  }

  /** Returns once it is kept, with its id. Throws GatewayError(empty). */
  async send(typed: string): Promise<string> {
    const text = sendable(typed);
    if (text.trim() === "") throw new GatewayError("empty");
    const { gateway, chat, tabs, kept } = this.#options;
    const message = { id: newName(), text, createdAt: Date.now() / 1000 };
    const entry: Entry = { ...message, state: "waiting", error: null, isKept: false, order: null, isReady: false };
    this.#set([...this.#entries, entry]);
    let order: number | null = null;
    try {
      order = await kept.add({ ...message, gateway, chat, owner: tabs.name });
      this.storageTroubles.tell(null);
      this.storageTroubles.tell(null);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.storageTroubles.tell(error.code);
    }
    this.#change(message.id, { order, isKept: order !== null, isReady: true });
    this.#pump();
    return message.id;
  }

  /** Of a message that failed: send it all the same. */
  retry(id: string): void {
    this.#change(id, { state: "waiting", error: null });
    this.#pump();
  }

  /** Take a message back that is not on its way. Returns its text, or null if it is too late. */
  async discard(id: string): Promise<string | null> {
    const entry = this.#entries.find((one) => one.id === id);
    if (entry === undefined || entry.state === "sending") return null;
    await this.#remove(entry);
    this.#pump();
    return entry.text;
  }

  close(): void {
    clearTimeout(this.#pause);
    for (const end of this.#endings) end();
  }

  /** Messages of pages that are gone, this one's before its reload among them, are ours now. */
  async #adopt(): Promise<void> {
    this.#pump();
    const { gateway, chat, tabs, kept } = this.#options;
    try {
      const orphans = await kept.adopt(gateway, chat, tabs.name, await tabs.open());
      const known = new Set(this.#entries.map(({ id }) => id));
      const found = orphans
        .filter(({ id }) => !known.has(id))
        .map(({ id, text, createdAt, order }): Entry => {
          return { id, text, createdAt, order, state: "waiting", error: null, isKept: true, isReady: true };
        });
      if (found.length > 0) this.#set([...found, ...this.#entries]);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.storageTroubles.tell(error.code);
    }
    this.adoptions.tell();
    this.#pump();
  }

  #pump(): void {
    clearTimeout(this.#pause);
    if (this.#options.connection.hello === null || this.#entries.some(({ state }) => state === "sending")) return;
    const next = this.#entries.find(({ state }) => state === "waiting");
    if (next?.isReady !== true) return;
    this.#change(next.id, { state: "sending" });
    this.#options.connection.send({ type: "message", id: next.id, text: next.text });
  }

  #take(event: ServerEvent): void {
    if (event.type !== "accepted" && event.type !== "refused") return;
    const entry = this.#entries.find(({ id, state }) => id === event.id && state === "sending");
    if (entry === undefined) return;
    if (event.type === "accepted") {
      this.#pauses.reset();
      void this.#remove(entry);
      const { id, text, createdAt } = entry;
      this.acceptances.tell({ id, text, createdAt, turnId: event.turnId, position: event.position });
      this.#pump();
    } else if (TRY_AGAIN.has(event.code)) {
      this.#change(entry.id, { state: "waiting", error: knownCode(event.code) });
      this.#pause = setTimeout(() => this.#pump(), this.#pauses.next(LEAST_PAUSE_MS));
    } else {
      this.#change(entry.id, { state: "failed", error: knownCode(event.code) });
      this.#pump();
    }
  }

  #lose(): void {
    clearTimeout(this.#pause);
    for (const entry of this.#entries) if (entry.state === "sending") this.#change(entry.id, { state: "waiting" });
  }

  /** Also if the database does not let go of it: then it is sent again some day, and the gateway knows it. */
  async #remove(entry: Entry): Promise<void> {
    this.#set(this.#entries.filter(({ id }) => id !== entry.id));
    if (entry.order === null) return;
    try {
      await this.#options.kept.remove(entry.order);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.storageTroubles.tell(error.code);
    }
  }

  #change(id: string, fields: Partial<Entry>): void {
    this.#set(this.#entries.map((entry) => (entry.id === id ? { ...entry, ...fields } : entry)));
  }

  #set(entries: readonly Entry[]): void {
    this.#entries = entries;
    this.changes.tell(entries);
  }
}
