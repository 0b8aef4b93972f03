/** Files on their way to the gateway, for the next message of one chat. They are there until it is sent, whatever is looked at meanwhile. */

import { signal, type ReadonlySignal } from "@preact/signals";
import { GatewayError } from "../gateway/errors.ts";
import type { Http } from "../gateway/http.ts";
import type { IncomingFile } from "../files/incoming.ts";

export interface Attachment {
  readonly id: number;
  readonly name: string;
  /** Null for one that the gateway has had for long. */
  readonly file: File | null;
  readonly state: "uploading" | "done" | "failed";
  /** From 0 to 1. */
  readonly progress: number;
  readonly error: GatewayError | null;
  /** What the gateway says about it, once it is there. */
  readonly prompt: string | null;
}

type Uploader = Pick<Http, "upload">;

const NEW = { file: null, state: "uploading", progress: 0, error: null, prompt: null } as const;

let last = 0;

export class Attachments {
  readonly items: ReadonlySignal<readonly Attachment[]>;

  readonly #http: Uploader;
  readonly #items = signal<readonly Attachment[]>([]);
  readonly #running = new Map<number, { readonly abort: AbortController; readonly over: Promise<void> }>();

  constructor(http: Uploader) {
    this.#http = http;
    this.items = this.#items;
  }

  add(files: readonly File[]): void {
    for (const file of files) {
      const id = ++last;
      const item: Attachment = { ...NEW, id, name: file.name, file };
      this.#items.value = [...this.#items.peek(), item];
      this.#start(id, file);
    }
  }

  /** Those of a message that is written anew, in place of what is there. */
  restore(files: readonly IncomingFile[]): void {
    this.clear();
    this.#items.value = files.map(({ name, prompt }) => ({
      ...NEW,
      id: ++last,
      name,
      state: "done",
      progress: 1,
      prompt,
    }));
  }

  retry(id: number): void {
    const item = this.#items.peek().find((one) => one.id === id);
    if (item?.state !== "failed" || item.file === null) return;
    this.#change(id, { state: "uploading", progress: 0, error: null });
    this.#start(id, item.file);
  }

  /** Also of one that is on its way. */
  remove(id: number): void {
    this.#running.get(id)?.abort.abort();
    this.#items.value = this.#items.peek().filter((one) => one.id !== id);
  }

  /** Once all are there, what the gateway says about each. Null if one failed, or was not there to begin with. */
  async settled(): Promise<readonly string[] | null> {
    while (this.#items.peek().some(({ state }) => state === "uploading")) {
      await Promise.all([...this.#running.values()].map(({ over }) => over));
    }
    const prompts = this.#items.peek().map(({ prompt }) => prompt);
    return prompts.every((prompt) => prompt !== null) ? prompts : null;
  }

  clear(): void {
    for (const { id } of this.#items.peek()) this.remove(id);
  }

  #start(id: number, file: File): void {
    const abort = new AbortController();
    const onProgress = (progress: number): void => this.#change(id, { progress });
    const over = this.#upload(file, { signal: abort.signal, onProgress }).then((fields) => {
      this.#running.delete(id);
      this.#change(id, fields);
    });
    this.#running.set(id, { abort, over });
  }

  async #upload(file: File, options: Parameters<Uploader["upload"]>[1]): Promise<Partial<Attachment>> {
    try {
      const { prompt } = await this.#http.upload(file, options);
      return { state: "done", progress: 1, prompt };
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return { state: "failed", error };
    }
  }

  #change(id: number, fields: Partial<Attachment>): void {
    this.#items.value = this.#items.peek().map((one) => (one.id === id ? { ...one, ...fields } : one));
  }
}

const all = new WeakMap<Uploader, Map<string, Attachments>>();

/** Those of a chat, by its key. */
export function attachmentsOf(http: Uploader, chat: string): Attachments {
  const ofGateway = all.get(http) ?? new Map<string, Attachments>();
  all.set(http, ofGateway);
  const known = ofGateway.get(chat) ?? new Attachments(http);
  ofGateway.set(chat, known);
  return known;
}
