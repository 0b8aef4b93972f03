/** One open gateway for screens: its connection, chats, approvals and notifications as signals. */

import { signal, type ReadonlySignal } from "@preact/signals";
import type { Hello } from "../protocol/auth.ts";
import type { ApprovalRequest } from "../protocol/messages.ts";
import type { ConnectionState } from "../gateway/connection.ts";
import type { ChatNumbers, Gateway } from "../gateway/gateway.ts";
import type { Chat } from "../gateway/chat.ts";
import type { NotificationsNow } from "../gateway/notifications.ts";
import { nextFrame, type Schedule } from "./frame.ts";
import { ReadMarks } from "./read-marks.ts";
import { Sessions } from "./sessions.ts";
import { Transcript } from "./transcript.ts";

/** A chat that is looked at. */
export interface OpenChat {
  readonly chat: Chat;
  readonly transcript: Transcript;
  readonly connection: ReadonlySignal<ConnectionState>;
  readonly close: () => void;
}

export class GatewayState {
  readonly gateway: Gateway;
  readonly sessions: Sessions;
  readonly readMarks: ReadMarks;
  readonly connection: ReadonlySignal<ConnectionState>;
  /** The newest one; null before the first. It stays over lost connections. */
  readonly hello: ReadonlySignal<Hello | null>;
  readonly approvals: ReadonlySignal<readonly ApprovalRequest[]>;
  readonly notifications: ReadonlySignal<NotificationsNow>;

  readonly #schedule: Schedule;
  readonly #endings: (() => void)[];
  readonly #open = new Map<Chat, { readonly transcript: Transcript; viewers: number }>();

  /** `schedule`: when to show what the agents say. */
  constructor(gateway: Gateway, schedule: Schedule = nextFrame) {
    this.#schedule = schedule;
    const { home } = gateway;
    const connection = signal(home.connection.state);
    const hello = signal(home.connection.hello);
    const approvals = signal(gateway.approvals.pending);
    const notifications = signal(gateway.notifications.now);
    this.gateway = gateway;
    this.sessions = new Sessions(gateway);
    this.readMarks = new ReadMarks(gateway.url, storageOfThisBrowser());
    this.connection = connection;
    this.hello = hello;
    this.approvals = approvals;
    this.notifications = notifications;
    this.#transcriptOf(home); // as long as the gateway is open, so that it is there at once
    this.#endings = [
      home.connection.states.add((state) => (connection.value = state)),
      home.connection.hellos.add((newest) => (hello.value = newest)),
      gateway.approvals.changes.add((pending) => (approvals.value = pending)),
      gateway.notifications.changes.add((now) => (notifications.value = now)),
    ];
  }

  /** Null: the gateway's default chat. */
  openChat(numbers: ChatNumbers | null): OpenChat {
    const chat = numbers === null ? this.gateway.home : this.gateway.hold(numbers);
    const transcript = this.#transcriptOf(chat);
    const connection = signal(chat.connection.state);
    const endings = [
      chat.connection.states.add((state) => (connection.value = state)),
      chat.outbox.acceptances.add(() => this.sessions.refreshSoon()),
      chat.feed.news.add((news) => {
        if (news.kind === "event" && news.event.type === "result") this.sessions.refreshSoon();
      }),
    ];
    const close = (): void => {
      for (const end of endings) end();
      this.#letGo(chat);
      this.gateway.release(chat);
    };
    return { chat, transcript, connection, close };
  }

  close(): void {
    for (const end of this.#endings) end();
    for (const { transcript } of this.#open.values()) transcript.close();
    this.#open.clear();
    this.sessions.close();
    this.gateway.close();
  }

  #transcriptOf(chat: Chat): Transcript {
    const open = this.#open.get(chat) ?? { transcript: new Transcript(chat, this.#schedule), viewers: 0 };
    this.#open.set(chat, open);
    open.viewers++;
    return open.transcript;
  }

  #letGo(chat: Chat): void {
    const open = this.#open.get(chat);
    if (open === undefined || --open.viewers > 0) return;
    open.transcript.close();
    this.#open.delete(chat);
  }
}

/** Reading it throws where browsers keep nothing for us. */
function storageOfThisBrowser(): Storage | null {
  try {
    return (globalThis as { localStorage?: Storage }).localStorage ?? null;
  } catch {
    return null;
  }
}
