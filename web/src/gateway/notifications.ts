/** Notifications of one gateway: the newest as a list, how many are unread, and each new one as it comes. */

import type { Hello } from "../protocol/auth.ts";
import type { Notification, ServerEvent } from "../protocol/messages.ts";
import type { Api } from "./api.ts";
import type { Connection } from "./connection.ts";
import { GatewayError } from "./errors.ts";
import { Listeners } from "./listeners.ts";

const PAGE = 50;

export interface NotificationsNow {
  /** Newest first; null until somebody asked for them. */
  readonly list: readonly Notification[] | null;
  readonly hasMore: boolean;
  readonly unread: number;
}

export class Notifications {
  readonly changes = new Listeners<[NotificationsNow]>();
  /** Each that comes while the connection is there, once. */
  readonly arrivals = new Listeners<[Notification]>();

  readonly #api: Api;
  /** Read ones that are not in the list. */
  readonly #counted = new Set<string>();
  #now: NotificationsNow = { list: null, hasMore: false, unread: 0 };

  constructor(connection: Connection, api: Api) {
    this.#api = api;
    connection.hellos.add((hello) => this.#begin(hello));
    connection.events.add((event) => this.#take(event));
  }

  get now(): NotificationsNow {
    return this.#now;
  }

  /** Read the newest. Rejects with GatewayError. */
  async load(): Promise<void> {
    const page = await this.#api.notifications.list({ limit: PAGE });
    this.#set({ list: page, hasMore: page.length === PAGE });
  }

  /** Read those before the last one of the list. Rejects with GatewayError. */
  async loadMore(): Promise<void> {
    const last = this.#now.list?.at(-1);
    if (last === undefined) return this.load();
    const page = await this.#api.notifications.list({ limit: PAGE, before: last.id });
    this.#set({ list: [...(this.#now.list ?? []), ...page], hasMore: page.length === PAGE });
  }

  /** On all devices. Rejects with GatewayError. */
  async read(id: string): Promise<void> {
    await this.#api.notifications.read(id);
    this.#markRead([id]);
  }

  async readAll(): Promise<void> {
    await this.#api.notifications.readAll();
    this.#set({ list: this.#now.list?.map((one) => ({ ...one, read: true })) ?? null, unread: 0 });
  }

  #begin({ unreadNotifications }: Hello): void {
    this.#set({ unread: unreadNotifications });
    if (this.#now.list === null) return;
    this.load().catch((error: unknown) => {
      if (!(error instanceof GatewayError)) throw error; // else the next connection reads it
    });
  }

  #take(event: ServerEvent): void {
    if (event.type === "notification") {
      const { notification } = event;
      const isUnread = notification.read ? 0 : 1;
      this.#set({
        list: this.#now.list === null ? null : [notification, ...this.#now.list],
        unread: this.#now.unread + isUnread,
      });
      this.arrivals.tell(notification);
    } else if (event.type === "notification_read") this.#markRead(event.ids);
  }

  /** What is read is told here, too, and counts once: in the list it is read already. */
  #markRead(ids: readonly string[]): void {
    const read = new Set(ids);
    const known = new Map(this.#now.list?.map((one) => [one.id, one.read]));
    const changed = ids.filter((id) => known.get(id) !== true && !this.#counted.has(id));
    for (const id of changed) if (!known.has(id)) this.#counted.add(id);
    this.#set({
      list: this.#now.list?.map((one) => (read.has(one.id) ? { ...one, read: true } : one)) ?? null,
      unread: Math.max(0, this.#now.unread - changed.length),
    });
  }

  #set(fields: Partial<NotificationsNow>): void {
    this.#now = { ...this.#now, ...fields };
    this.changes.tell(this.#now);
  }
}
