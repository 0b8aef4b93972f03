/** The browser's own database: what has to outlast a reload. Where there is none, callers keep things in memory. */

import { GatewayError } from "./errors.ts";

const NAME = "sygen";
const VERSION = 1;

export type StoreName = "gateways" | "keys" | "outbox" | "drafts";

/** Index of the outbox: by gateway and chat. */
export const BY_CHAT = "by_chat";

export class Database {
  readonly #database: IDBDatabase;

  constructor(database: IDBDatabase) {
    this.#database = database;
    // A newer version of this client wants to change the stores: it is let to, and this page goes on without.
    database.onversionchange = () => database.close();
  }

  /** Null where the browser has none for us, as in some private windows. */
  static async open(factory: IDBFactory | undefined = ofThisBrowser()): Promise<Database | null> {
    try {
      const request = factory?.open(NAME, VERSION);
      if (request === undefined) return null;
      request.onupgradeneeded = () => {
        const database = request.result;
        database.createObjectStore("gateways", { keyPath: "url" });
        database.createObjectStore("keys");
        database.createObjectStore("drafts");
        database
          .createObjectStore("outbox", { keyPath: "order", autoIncrement: true })
          .createIndex(BY_CHAT, ["gateway", "chat"]);
      };
      return new Database(await outcome(request));
    } catch {
      return null;
    }
  }

  get(store: StoreName, key: string): Promise<unknown> {
    return this.change(store, "readonly", (records) => outcome<unknown>(records.get(key)));
  }

  all(store: StoreName): Promise<unknown[]> {
    return this.change(store, "readonly", (records) => outcome<unknown[]>(records.getAll()));
  }

  /** The key under which it is kept. `key` only for stores whose records do not name it. */
  put(store: StoreName, record: object, key?: string): Promise<IDBValidKey> {
    return this.change(store, "readwrite", (records) => outcome(records.put(record, key)));
  }

  delete(store: StoreName, key: IDBValidKey | IDBKeyRange): Promise<void> {
    return this.change(store, "readwrite", (records) => outcome(records.delete(key)));
  }

  clear(store: StoreName): Promise<void> {
    return this.change(store, "readwrite", (records) => outcome(records.clear()));
  }

  /**
   * What `work` does, whole or not at all; other pages do not come between. It may wait for nothing but this store.
   * Rejects with GatewayError(storage_full or storage_failed).
   */
  async change<T>(
    store: StoreName,
    mode: "readonly" | "readwrite",
    work: (records: IDBObjectStore) => Promise<T>,
  ): Promise<T> {
    try {
      const transaction = this.#database.transaction(store, mode);
      const isKept = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
      });
      const [done] = await Promise.all([work(transaction.objectStore(store)), isKept]);
      return done;
    } catch (error) {
      const isFull = error instanceof DOMException && error.name === "QuotaExceededError";
      throw new GatewayError(isFull ? "storage_full" : "storage_failed", String(error));
    }
  }

  close(): void {
    this.#database.close();
  }
}

const ofThisBrowser = (): IDBFactory | undefined => (globalThis as { indexedDB?: IDBFactory }).indexedDB;

export function outcome<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("failed"));
  });
}
