/** The questions of one gateway as cards: those that wait, and for a moment those that were answered, with what became of them. */

import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { Approvals, Settled } from "../gateway/approvals.ts";
import { GatewayError } from "../gateway/errors.ts";
import type { ApprovalRequest, Decision, Outcome } from "../protocol/messages.ts";

/** How long an outcome is shown: long enough to be read without having waited for it. */
export const SETTLED_MS = 6_000;
const SOON_S = 60;
/** Not said of what had hardly more time from the beginning. */
const NOT_SO_SOON_S = 75;

export interface End {
  readonly outcome: Outcome;
  readonly by: string | null;
  /** It was this page that answered. */
  readonly isOurs: boolean;
}

export interface Card {
  readonly request: ApprovalRequest;
  /** The answer that is on its way. */
  readonly answering: Decision | null;
  readonly end: End | null;
  /** Why the last answer may not count. */
  readonly trouble: GatewayError | null;
}

/** Told once for each request. */
export interface Teller {
  readonly asked: (request: ApprovalRequest) => void;
  readonly soonOver: (request: ApprovalRequest) => void;
  readonly settled: (request: ApprovalRequest, end: End) => void;
}

type Source = Pick<Approvals, "pending" | "changes" | "settlements" | "answer">;

export class Cards {
  /** Oldest first. */
  readonly all: ReadonlySignal<readonly Card[]>;
  readonly waiting: ReadonlySignal<readonly Card[]>;

  readonly #source: Source;
  readonly #teller: Teller;
  readonly #cards = signal<readonly Card[]>([]);
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(source: Source, teller: Teller) {
    this.#source = source;
    this.#teller = teller;
    this.all = this.#cards;
    this.waiting = computed(() => this.#cards.value.filter(({ end }) => end === null));
    source.settlements.add((settled) => this.#settle(settled));
    source.changes.add((pending) => this.#take(pending));
    this.#take(source.pending);
  }

  /** What goes wrong is the card's `trouble`, unless the card tells by then who was faster. */
  async answer(id: string, decision: Decision): Promise<void> {
    const card = this.#cards.peek().find(({ request }) => request.id === id);
    if (card === undefined || card.end !== null || card.answering !== null) return;
    this.#change(id, { answering: decision, trouble: null });
    try {
      await this.#source.answer(id, decision);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const isOver = this.#cards.peek().some((one) => one.request.id === id && one.end !== null);
      if (!isOver) this.#change(id, { answering: null, trouble: error });
    }
  }

  #take(pending: readonly ApprovalRequest[]): void {
    const known = new Set(this.#cards.peek().map(({ request }) => request.id));
    const fresh = pending.filter(({ id }) => !known.has(id));
    if (fresh.length === 0) return;
    const cards = fresh.map((request): Card => ({ request, answering: null, end: null, trouble: null }));
    this.#cards.value = [...this.#cards.peek(), ...cards];
    for (const request of fresh) {
      this.#teller.asked(request);
      const left = request.expiresAt - Date.now() / 1000;
      if (left > NOT_SO_SOON_S) {
        this.#after(request.id, (left - SOON_S) * 1000, () => this.#teller.soonOver(request));
      }
    }
  }

  #settle({ request, decision, by }: Settled): void {
    const card = this.#cards.peek().find((one) => one.request.id === request.id);
    if (card === undefined || card.end !== null) return;
    const end: End = { outcome: decision, by, isOurs: card.answering === decision };
    this.#change(request.id, { answering: null, trouble: null, end });
    this.#teller.settled(request, end);
    this.#after(request.id, SETTLED_MS, () => {
      this.#timers.delete(request.id);
      this.#cards.value = this.#cards.peek().filter((one) => one.request.id !== request.id);
    });
  }

  /** One timer for each: the end takes the place of the reminder. */
  #after(id: string, ms: number, run: () => void): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.set(id, setTimeout(run, ms));
  }

  #change(id: string, fields: Partial<Card>): void {
    this.#cards.value = this.#cards.peek().map((card) => (card.request.id === id ? { ...card, ...fields } : card));
  }
}
