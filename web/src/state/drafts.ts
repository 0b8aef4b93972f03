/** What was begun to be typed, for each chat: over chats that are looked at, and over reloads. */

import { signal, type Signal } from "@preact/signals";
import type { Database } from "../gateway/database.ts";
import { GatewayError, type ErrorCode } from "../gateway/errors.ts";
import { isFields } from "../protocol/json.ts";

export class Drafts {
  /** Why drafts would not survive a reload; null as long as they do. */
  readonly trouble = signal<ErrorCode | null>(null);

  readonly #database: Database | null;
  readonly #drafts = new Map<string, Signal<string>>();
  readonly #unkept = new Set<string>();
  #keeping: Promise<void> | null = null;

  constructor(database: Database | null) {
    this.#database = database;
  }

  /** The draft of a chat, to be read by screens; empty until the database has answered. */
  of(gateway: string, chat: string): Signal<string> {
    const key = keyOf(gateway, chat);
    const known = this.#drafts.get(key);
    if (known !== undefined) return known;
    const draft = signal("");
    this.#drafts.set(key, draft);
    void this.#load(key, draft);
    return draft;
  }

  write(gateway: string, chat: string, text: string): void {
    this.of(gateway, chat).value = text;
    this.#unkept.add(keyOf(gateway, chat));
    void this.keep();
  }

  /** Keep what was written, as fast as the database takes it: when a page goes, there is no time left to write. */
  keep(): Promise<void> {
    return (this.#keeping ??= this.#keepAll().finally(() => (this.#keeping = null)));
  }

  async #keepAll(): Promise<void> {
    try {
      for (const key of this.#unkept) {
        this.#unkept.delete(key); // one that is written meanwhile comes again
        const text = this.#drafts.get(key)?.peek() ?? "";
        if (text === "") await this.#database?.delete("drafts", key);
        else await this.#database?.put("drafts", { text }, key);
      }
      this.trouble.value = null;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.trouble.value = error.code;
    }
  }

  /** Those of a gateway, or all. Rejects with GatewayError. */
  async forget(gateway?: string): Promise<void> {
    for (const [key, draft] of this.#drafts) {
      if (gateway !== undefined && !key.startsWith(`${gateway} `)) continue;
      this.#unkept.delete(key);
      draft.value = "";
    }
    if (gateway === undefined) await this.#database?.clear("drafts");
    else await this.#database?.delete("drafts", IDBKeyRange.bound(`${gateway} `, `${gateway} \uffff`));
  }

  async #load(key: string, draft: Signal<string>): Promise<void> {
    try {
      const kept = await this.#database?.get("drafts", key);
      const isUntouched = draft.peek() === "" && !this.#unkept.has(key);
      if (isUntouched && isFields(kept) && typeof kept["text"] === "string") draft.value = kept["text"];
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.trouble.value = error.code;
    }
  }
}

const keyOf = (gateway: string, chat: string): string => `${gateway} ${chat}`;
