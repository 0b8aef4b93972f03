/**
 * The chats that were looked at last stay open for a while, so that going back to one shows it at once, as it was left. Few:
 * each is a connection.
 */

import type { ChatNumbers } from "../gateway/gateway.ts";
import type { GatewayState, OpenChat } from "../state/gateway.ts";
import { ChatMemory } from "./memory.ts";

const KEPT = 3;

/** A chat on the screen, and what is remembered of how it looked. */
export interface ViewedChat {
  readonly open: OpenChat;
  readonly memory: ChatMemory;
}

interface Held extends ViewedChat {
  readonly id: string;
  isViewed: boolean;
}

type Opener = Pick<GatewayState, "openChat">;

const all = new WeakMap<Opener, RecentChats>();

export function recentChatsOf(gateway: Opener): RecentChats {
  const known = all.get(gateway) ?? new RecentChats(gateway);
  all.set(gateway, known);
  return known;
}

export class RecentChats {
  readonly #gateway: Opener;
  /** The one that was looked at last is the last one. */
  #held: Held[] = [];

  constructor(gateway: Opener) {
    this.#gateway = gateway;
  }

  /** If it is open still. */
  has(id: string): boolean {
    return this.#held.some((one) => one.id === id);
  }

  /** `numbers` may be left out for one that is open. */
  view(id: string, numbers: ChatNumbers | null): ViewedChat {
    const known = this.#held.find((one) => one.id === id);
    const held = known ?? { id, open: this.#gateway.openChat(numbers), memory: new ChatMemory(), isViewed: true };
    held.isViewed = true;
    if (known === undefined) this.#held.push(held);
    return held;
  }

  leave(id: string): void {
    const held = this.#held.find((one) => one.id === id);
    if (held === undefined) return;
    held.isViewed = false;
    this.#held = [...this.#held.filter((one) => one !== held), held];
    if (held.open.transcript.phase.peek() === "deleted") this.#close(held);
    const idle = this.#held.filter(({ isViewed }) => !isViewed);
    for (const one of idle.slice(0, Math.max(0, idle.length - KEPT))) this.#close(one);
  }

  #close(held: Held): void {
    this.#held = this.#held.filter((one) => one !== held);
    held.open.close();
  }
}
