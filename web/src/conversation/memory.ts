/** How one chat looked when it was left: the place, what was unfolded, and how high its turns were. */

import { signal, type Signal } from "@preact/signals";
import type { VirtualItem } from "@tanstack/virtual-core";
import { Announcements } from "./announcements.ts";
import { ThinkingTimes } from "./thinking-times.ts";

/** The turn at the upper edge, and how many pixels of it are above. */
export interface Place {
  readonly id: string;
  readonly offset: number;
}

export class ChatMemory {
  /** Null: at the end. */
  place: Place | null = null;
  heights: VirtualItem[] = [];
  /** The turn whose message is written anew. */
  readonly editing = signal<string | null>(null);
  /** What had been typed before a message was written anew; it comes back afterwards. */
  aside = "";
  readonly thinking = new ThinkingTimes();
  readonly announcements = new Announcements();
  readonly #folds = new Map<string, Signal<boolean>>();

  /** Whether something is unfolded. Rows that are out of sight are not there, so that they cannot know. */
  fold(key: string): Signal<boolean> {
    const known = this.#folds.get(key);
    if (known !== undefined) return known;
    const fold = signal(false);
    this.#folds.set(key, fold);
    return fold;
  }
}
