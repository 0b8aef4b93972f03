/** The list of chats for screens, newest first. Changes show at once and are taken back if the gateway refuses them. */

import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { Gateway } from "../gateway/gateway.ts";
import { GatewayError, type ErrorCode } from "../gateway/errors.ts";
import type { NewSession, Session } from "../gateway/shapes.ts";

const PAGE = 200;
const SOON_MS = 300;
/** What happens in chats that are not open here is seen this late, while somebody looks. */
const LOOK_AGAIN_MS = 15_000;

export class Sessions {
  /** Null until they were read. Archived ones are among them. */
  readonly list: ReadonlySignal<readonly Session[] | null>;
  readonly hasMore: ReadonlySignal<boolean>;
  readonly trouble: ReadonlySignal<ErrorCode | null>;

  readonly #gateway: Gateway;
  readonly #list = signal<readonly Session[] | null>(null);
  /** What was asked for one by one, and is not in what was read of the list. */
  readonly #strays = signal<readonly Session[]>([]);
  readonly #hidden = signal<ReadonlySet<string>>(new Set());
  readonly #hasMore = signal(false);
  readonly #trouble = signal<ErrorCode | null>(null);
  readonly #endings: (() => void)[];
  readonly #again: ReturnType<typeof setInterval>;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    this.list = computed(() => {
      const all = this.#list.value === null ? null : withStrays(this.#list.value, this.#strays.value);
      return all?.filter(({ id }) => !this.#hidden.value.has(id)) ?? null;
    });
    this.hasMore = this.#hasMore;
    this.trouble = this.#trouble;
    this.#endings = [
      gateway.home.connection.hellos.add(() => void this.load()),
      gateway.notifications.arrivals.add(() => this.refreshSoon()),
      whenSeen(() => this.#look()),
    ];
    this.#again = setInterval(() => this.#look(), LOOK_AGAIN_MS);
  }

  /** Read the newest ones. What goes wrong is `trouble`. */
  async load(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const newest = await this.#gateway.api.sessions.list({ includeArchived: true, limit: PAGE });
      const isPart = newest.length === PAGE;
      const older = isPart ? olderThan(newest, this.#list.peek() ?? []) : [];
      this.#list.value = [...newest, ...older];
      this.#strays.value = isPart ? olderThan(newest, this.#strays.peek()) : [];
      this.#hasMore.value = isPart && (older.length === 0 || this.#hasMore.peek());
      this.#trouble.value = null;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#trouble.value = error.code;
    }
  }

  async loadMore(): Promise<void> {
    const known = this.#list.peek() ?? [];
    const last = known.at(-1);
    if (last === undefined) return this.load();
    const more = await this.#gateway.api.sessions.list({ includeArchived: true, limit: PAGE, before: last.id });
    this.#list.value = [...known, ...more];
    this.#hasMore.value = more.length === PAGE;
  }

  /** A chat that the list may not reach to: made elsewhere a moment ago, or further down than was read. */
  know(session: Session): void {
    this.#strays.value = [session, ...this.#strays.peek().filter(({ id }) => id !== session.id)];
  }

  /** Something was said in a chat, so titles, order and counts may be others. */
  refreshSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.load(), SOON_MS);
  }

  /** Rejects with GatewayError, as all of the following do. */
  async create(wanted: NewSession = {}): Promise<Session> {
    const session = await this.#gateway.api.sessions.create(wanted);
    this.#list.value = [session, ...(this.#list.peek() ?? [])];
    return session;
  }

  rename(id: string, title: string): Promise<void> {
    return this.#change(id, { title }, () => this.#gateway.api.sessions.rename(id, title));
  }

  archive(id: string): Promise<void> {
    return this.#change(id, { archived: true }, () => this.#gateway.api.sessions.archive(id));
  }

  unarchive(id: string): Promise<void> {
    return this.#change(id, { archived: false }, () => this.#gateway.api.sessions.unarchive(id));
  }

  /** Out of the list, for as long as a person may want it back. */
  hide(id: string): void {
    this.#hidden.value = new Set([...this.#hidden.peek(), id]);
  }

  show(id: string): void {
    this.#hidden.value = new Set([...this.#hidden.peek()].filter((one) => one !== id));
  }

  async remove(id: string): Promise<void> {
    this.hide(id);
    try {
      await this.#gateway.api.sessions.remove(id);
    } catch (error) {
      if (error instanceof GatewayError && error.code === "not_found") return; // gone, as was asked for
      this.show(id);
      throw error;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#again);
    for (const end of this.#endings) end();
  }

  #look(): void {
    if (isSeen() && this.#gateway.home.connection.hello !== null) void this.load();
  }

  async #change(id: string, fields: Partial<Session>, ask: () => Promise<Session>): Promise<void> {
    const before = this.list.peek()?.find((session) => session.id === id);
    this.#put(id, fields);
    try {
      this.#put(id, await ask());
    } catch (error) {
      if (before !== undefined) this.#put(id, before);
      throw error;
    }
  }

  #put(id: string, fields: Partial<Session>): void {
    const changed = (session: Session): Session => (session.id === id ? { ...session, ...fields } : session);
    this.#list.value = this.#list.peek()?.map(changed) ?? null;
    this.#strays.value = this.#strays.peek().map(changed);
  }
}

/** What was read of further pages stays. */
function olderThan(newest: readonly Session[], known: readonly Session[]): Session[] {
  const [last, there] = [newest.at(-1)?.updatedAt ?? 0, new Set(newest.map(({ id }) => id))];
  return known.filter(({ id, updatedAt }) => updatedAt <= last && !there.has(id));
}

function withStrays(list: readonly Session[], strays: readonly Session[]): readonly Session[] {
  const there = new Set(list.map(({ id }) => id));
  const missing = strays.filter(({ id }) => !there.has(id));
  return missing.length === 0 ? list : [...list, ...missing].sort((one, other) => other.updatedAt - one.updatedAt);
}

const isSeen = (): boolean => typeof document === "undefined" || document.visibilityState === "visible";

function whenSeen(look: () => void): () => void {
  if (typeof document === "undefined") return () => undefined;
  document.addEventListener("visibilitychange", look);
  return () => document.removeEventListener("visibilitychange", look);
}
