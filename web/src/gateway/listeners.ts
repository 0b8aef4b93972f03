/** Who wants to hear of something. */

export class Listeners<Arguments extends readonly unknown[]> {
  readonly #all = new Set<(...said: Arguments) => void>();

  /** Returns what ends it. */
  add(listener: (...said: Arguments) => void): () => void {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  tell(...said: Arguments): void {
    for (const listener of [...this.#all]) listener(...said);
  }
}
