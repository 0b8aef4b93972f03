/**
 * One gateway as the client knows it. Its default chat has a connection as long as the gateway is open; that one also
 * carries requests, approvals and notifications. Every other chat that is looked at, or has messages to send, has its own.
 */

import type { AuthWishes } from "../protocol/auth.ts";
import { Api } from "./api.ts";
import { Approvals } from "./approvals.ts";
import { Chat } from "./chat.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { GatewayError } from "./errors.ts";
import { browserPermissions, Http, type Permissions } from "./http.ts";
import type { KeptMessages } from "./kept-messages.ts";
import { socketUrl, type GatewayLink } from "./link.ts";
import { Notifications } from "./notifications.ts";
import { Outbox } from "./outbox.ts";
import { Requests } from "./requests.ts";
import { SessionFeed } from "./session.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Tabs } from "./tabs.ts";

export interface GatewayOptions {
  readonly link: GatewayLink;
  readonly kept: KeptMessages;
  readonly tabs: Tabs;
  /** What others see of who answered an approval. */
  readonly device?: string;
  readonly surroundings?: Surroundings;
  readonly permissions?: Permissions;
}

export interface ChatNumbers {
  readonly chatId: number;
  readonly channelId: number | null;
}

const HOME = "home";

interface Held {
  readonly chat: Chat;
  holders: number;
}

export class Gateway {
  readonly url: string;
  /** The gateway's default chat. */
  readonly home: Chat;
  readonly api: Api;
  /** Files, which do not go over the socket. */
  readonly http: Http;
  readonly approvals: Approvals;
  readonly notifications: Notifications;

  readonly #options: GatewayOptions;
  readonly #chats = new Map<string, Held>();

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.url = options.link.url;
    this.home = this.#chat(HOME, null);
    this.api = this.home.api;
    this.http = new Http(options.link, options.permissions ?? browserPermissions);
    this.approvals = new Approvals(this.home.connection, this.api);
    this.notifications = new Notifications(this.home.connection, this.api);
  }

  /** Connect, and stay connected until `close`. */
  open(): void {
    this.home.connection.open();
    void this.#sendLeftovers();
  }

  /** The chat of these numbers, for as long as it is held: `release` it. */
  hold(numbers: ChatNumbers): Chat {
    const { hello } = this.home.connection;
    if (hello?.chatId === numbers.chatId && hello.channelId === numbers.channelId) return this.home;
    const key = keyOf(numbers);
    const held = this.#chats.get(key) ?? { chat: this.#chat(key, numbers), holders: 0 };
    this.#chats.set(key, held);
    held.holders++;
    held.chat.connection.open();
    return held.chat;
  }

  /** Let go of a chat. It is closed when nobody holds it and all that was typed in it is sent. */
  release(chat: Chat): void {
    const held = this.#chats.get(chat.key);
    if (held?.chat !== chat) return;
    held.holders--;
    this.#closeIfIdle(held);
  }

  /** After somebody did something about a refusal, or does not want to wait. */
  retry(): void {
    for (const chat of this.#all()) chat.connection.retry();
  }

  close(): void {
    for (const chat of this.#all()) closeChat(chat);
    this.#chats.clear();
  }

  #all(): readonly Chat[] {
    return [this.home, ...[...this.#chats.values()].map(({ chat }) => chat)];
  }

  #chat(key: string, numbers: ChatNumbers | null): Chat {
    const { link, kept, tabs, device, surroundings } = this.#options;
    const isHome = numbers === null;
    const wishes = (): AuthWishes => ({
      ...numbers,
      cursor: feed.cursor,
      approvals: isHome,
      ...(device === undefined ? {} : { device }),
    });
    const options: ConnectionOptions = {
      ...{ url: socketUrl(link.url), credentials: link, wishes },
      whenDeleted: isHome ? "reconnect" : "end",
      ...(surroundings === undefined ? {} : { surroundings }),
    };
    const connection = new Connection(options);
    const api = new Api(new Requests(connection));
    const feed: SessionFeed = new SessionFeed(connection, api);
    const outbox = new Outbox({ connection, kept, tabs, gateway: link.url, chat: key });
    const chat = new Chat({ key, connection, api, feed, outbox });
    outbox.changes.add(() => {
      const held = this.#chats.get(key);
      if (held !== undefined) this.#closeIfIdle(held);
    });
    return chat;
  }

  /** Messages of before the page was loaded, in chats that nobody looks at. */
  async #sendLeftovers(): Promise<void> {
    try {
      for (const key of await this.#options.kept.chats(this.url)) {
        const numbers = numbersOf(key);
        if (numbers !== null) this.#holdUntilSent(numbers);
      }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error; // else whoever sends a message hears of it
    }
  }

  /** The messages show up, or not, after the first hello: another page may be sending them. */
  #holdUntilSent(numbers: ChatNumbers): void {
    const chat = this.hold(numbers);
    const end = chat.outbox.adoptions.add(() => {
      end();
      this.release(chat);
    });
  }

  #closeIfIdle(held: Held): void {
    const { chat, holders } = held;
    if (holders > 0 || chat.outbox.messages.some(({ state }) => state !== "failed")) return;
    this.#chats.delete(chat.key);
    closeChat(chat);
  }
}

function closeChat(chat: Chat): void {
  chat.connection.close();
  chat.feed.close();
  chat.outbox.close();
}

const keyOf = ({ chatId, channelId }: ChatNumbers): string => `${chatId}:${channelId ?? ""}`;

function numbersOf(key: string): ChatNumbers | null {
  const found = /^(\d+):(\d*)$/.exec(key);
  if (found === null) return null;
  return { chatId: Number(found[1]), channelId: found[2] === "" ? null : Number(found[2]) };
}
