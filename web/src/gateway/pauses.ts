/** How long to wait before the next attempt: growing, and scattered so that many clients do not come back at once. */

const FIRST_MS = 200;
const LONGEST_MS = 15_000;
const LONGEST_WHEN_EASED_MS = 800;

export class Pauses {
  #longest = FIRST_MS;
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** The next pause in milliseconds, at least `least`. */
  next(least = 0): number {
    const pause = this.#longest * (0.25 + 0.75 * this.#random());
    this.#longest = Math.min(this.#longest * 2, LONGEST_MS);
    return Math.max(pause, least);
  }

  /** The gateway is there, and only the way to it is bad: do not wait for long. */
  ease(): void {
    this.#longest = Math.min(this.#longest, LONGEST_WHEN_EASED_MS);
  }

  reset(): void {
    this.#longest = FIRST_MS;
  }
}
