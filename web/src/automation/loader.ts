/** Something that is read from the gateway, again and again: what was read stays while it is read anew. */

import { signal, type ReadonlySignal } from "@preact/signals";
import { GatewayError } from "../gateway/errors.ts";

export class Loader<T> {
  /** Null before the first answer. */
  readonly value: ReadonlySignal<T | null>;
  /** Why the last attempt failed. */
  readonly trouble: ReadonlySignal<GatewayError | null>;

  readonly #read: () => Promise<T>;
  readonly #value = signal<T | null>(null);
  readonly #trouble = signal<GatewayError | null>(null);
  #attempt = 0;

  constructor(read: () => Promise<T>) {
    this.#read = read;
    this.value = this.#value;
    this.trouble = this.#trouble;
  }

  /** The answer of the newest attempt counts. */
  async load(): Promise<void> {
    const attempt = ++this.#attempt;
    try {
      const value = await this.#read();
      if (attempt !== this.#attempt) return;
      this.#value.value = value;
      this.#trouble.value = null;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (attempt === this.#attempt) this.#trouble.value = error;
    }
  }

  /** It is known otherwise, such as from the answer to a change; what is read right now is older. */
  set(value: T): void {
    this.#attempt++;
    this.#value.value = value;
    this.#trouble.value = null;
  }
}
