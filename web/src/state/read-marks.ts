/**
 * How far each chat was read on this device: its number of messages when it was last on the screen. A chat that was never seen here
 * counts as read as far as it was at the first look at its gateway.
 */

import { signal, type ReadonlySignal } from "@preact/signals";
import { isFields } from "../protocol/json.ts";

type Marks = Readonly<Record<string, number>>;

const PREFIX = "sygen:read:";

/** `kept`: where marks outlast the page; null where nothing is kept. */
export class ReadMarks {
  readonly marks: ReadonlySignal<Marks>;

  readonly #key: string;
  readonly #kept: Storage | null;
  readonly #marks = signal<Marks>({});
  #isNew: boolean;

  constructor(gateway: string, kept: Storage | null) {
    this.#key = PREFIX + gateway;
    this.#kept = kept;
    this.marks = this.#marks;
    const known = this.#read();
    this.#isNew = known === null;
    this.#marks.value = known ?? {};
  }

  /** Whether there are messages in it that were not on the screen. */
  isUnread({ id, messageCount }: { readonly id: string; readonly messageCount: number }): boolean {
    return messageCount > (this.#marks.value[id] ?? (this.#isNew ? messageCount : 0));
  }

  /** The list as it is known now: with the first one nothing is unread. */
  begin(sessions: readonly { readonly id: string; readonly messageCount: number }[]): void {
    if (!this.#isNew) return;
    this.#isNew = false;
    this.#set(Object.fromEntries(sessions.map(({ id, messageCount }) => [id, messageCount])));
  }

  see({ id, messageCount }: { readonly id: string; readonly messageCount: number }): void {
    if (this.#marks.peek()[id] !== messageCount) this.#set({ ...this.#marks.peek(), [id]: messageCount });
  }

  /** Another page of this browser has seen something. */
  follow(page: Window): () => void {
    const take = ({ key }: StorageEvent): void => {
      if (key === this.#key) this.#marks.value = this.#read() ?? {};
    };
    page.addEventListener("storage", take);
    return () => page.removeEventListener("storage", take);
  }

  #set(marks: Marks): void {
    this.#marks.value = marks;
    try {
      this.#kept?.setItem(this.#key, JSON.stringify(marks));
    } catch {
      return; // full: the marks last as long as the page
    }
  }

  #read(): Marks | null {
    try {
      const marks: unknown = JSON.parse(this.#kept?.getItem(this.#key) ?? "null");
      if (!isFields(marks)) return null;
      return Object.fromEntries(
        Object.entries(marks).flatMap(([id, at]) => (typeof at === "number" ? [[id, at]] : [])),
      );
    } catch {
      return null;
    }
  }
}
