/**
 * Keeps a question from being answered by accident: by keys that were on their way to something else when it appeared, and
 * by a press on what has just moved under the pointer.
 */

export const QUIET_MS = 500;

export class Guard {
  #lastKey: number;
  #lastMove: number;

  constructor(now: number) {
    this.#lastKey = this.#lastMove = now;
  }

  /** It got the keyboard: what is typed right now may not be meant for it. */
  focused(now: number): void {
    this.#lastKey = now;
  }

  /** It appeared, or stands at another place. */
  moved(now: number): void {
    this.#lastMove = now;
  }

  /** Keys count after a pause without any. One that comes too soon begins the pause anew. */
  takesKey(now: number): boolean {
    const takes = now - Math.max(this.#lastKey, this.#lastMove) >= QUIET_MS;
    if (!takes) this.#lastKey = now;
    return takes;
  }

  takesPress(now: number): boolean {
    return now - this.#lastMove >= QUIET_MS;
  }
}
