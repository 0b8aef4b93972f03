/** One conversation on a gateway: its own connection, its feed and its outbox. */

import type { Api } from "./api.ts";
import type { Connection } from "./connection.ts";
import type { ServerEvent } from "../protocol/messages.ts";
import { GatewayError } from "./errors.ts";
import type { Outbox } from "./outbox.ts";
import type { SessionFeed } from "./session.ts";

export interface ChatParts {
  readonly key: string;
  readonly connection: Connection;
  readonly api: Api;
  readonly feed: SessionFeed;
  readonly outbox: Outbox;
}

export class Chat {
  /** What it is filed under, in the outbox and among drafts. */
  readonly key: string;
  readonly connection: Connection;
  /** Through this chat's connection. */
  readonly api: Api;
  readonly feed: SessionFeed;
  readonly outbox: Outbox;
  #aborts: { readonly resolve: (killed: number) => void; readonly reject: (error: GatewayError) => void }[] = [];

  constructor(parts: ChatParts) {
    this.key = parts.key;
    this.connection = parts.connection;
    this.api = parts.api;
    this.feed = parts.feed;
    this.outbox = parts.outbox;
    this.connection.events.add((event) => this.#take(event));
    this.connection.losses.add(() => this.#lose());
  }

  /** A person's message; `/stop` stops. Resolves once the message is kept, with its id, or null for `/stop`. Rejects with GatewayError. */
  async send(text: string): Promise<string | null> {
    if (text.trim().toLowerCase() !== "/stop") return this.outbox.send(text);
    await this.abort();
    return null;
  }

  /** Stop what runs and waits in this session; resolves with the number of turns. Rejects with GatewayError(connection_lost). */
  abort(): Promise<number> {
    return new Promise((resolve, reject: (error: GatewayError) => void) => {
      this.connection.send({ type: "abort", scope: "channel" });
      this.#aborts.push({ resolve, reject });
    });
  }

  #take(event: ServerEvent): void {
    if (event.type === "abort_ok") this.#aborts.shift()?.resolve(event.killed);
    else if (event.type === "refused" && event.code === "no_handler" && event.id === null) {
      this.#aborts.shift()?.reject(new GatewayError("no_handler", event.message || null));
    }
  }

  #lose(): void {
    const lost = this.#aborts;
    this.#aborts = [];
    for (const abort of lost) abort.reject(new GatewayError("connection_lost"));
  }
}
