/** Messages that the gateway does not have yet, as the browser's database keeps them: over reloads, in their order. */

import { isFields } from "../protocol/json.ts";
import { BY_CHAT, outcome, type Database } from "./database.ts";

export interface KeptMessage {
  readonly id: string;
  readonly gateway: string;
  readonly chat: string;
  readonly text: string;
  readonly createdAt: number;
  /** The page that sends it, as long as that is open. */
  readonly owner: string;
  readonly order: number;
}

export class KeptMessages {
  readonly #database: Database | null;

  /** Without a database nothing is kept, and nothing is there. */
  constructor(database: Database | null) {
    this.#database = database;
  }

  /** Its place in the order, or null if nothing keeps it. Rejects with GatewayError(storage_full or storage_failed). */
  async add(message: Omit<KeptMessage, "order">): Promise<number | null> {
    if (this.#database === null) return null;
    return (await this.#database.put("outbox", message)) as number;
  }

  async remove(order: number): Promise<void> {
    await this.#database?.delete("outbox", order);
  }

  /** The chats of a gateway that have messages here. */
  async chats(gateway: string): Promise<ReadonlySet<string>> {
    const all = (await this.#database?.all("outbox")) ?? [];
    return new Set(
      all
        .filter(isKept)
        .filter((message) => message.gateway === gateway)
        .map(({ chat }) => chat),
    );
  }

  /** Make the messages of a chat `owner`'s own that no other of the `open` pages has. Returns all that it has, in their order. */
  async adopt(gateway: string, chat: string, owner: string, open: ReadonlySet<string>): Promise<KeptMessage[]> {
    if (this.#database === null) return [];
    return this.#database.change("outbox", "readwrite", async (records) => {
      const found: unknown[] = await outcome(records.index(BY_CHAT).getAll([gateway, chat]));
      const orphans = found.filter(isKept).filter((message) => message.owner === owner || !open.has(message.owner));
      await Promise.all(orphans.map((message) => outcome(records.put({ ...message, owner }))));
      return orphans.sort((one, other) => one.order - other.order);
    });
  }

  /** Of a gateway that is forgotten. */
  async forget(gateway: string): Promise<void> {
    await this.#database?.change("outbox", "readwrite", async (records) => {
      const found: unknown[] = await outcome(records.getAll());
      const of = found.filter(isKept).filter((message) => message.gateway === gateway);
      await Promise.all(of.map((message) => outcome(records.delete(message.order))));
    });
  }

  async forgetAll(): Promise<void> {
    await this.#database?.clear("outbox");
  }
}

function isKept(value: unknown): value is KeptMessage {
  return isFields(value) && typeof value["id"] === "string" && typeof value["text"] === "string";
}
