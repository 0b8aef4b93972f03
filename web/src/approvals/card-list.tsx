/** Cards one below the other, which hand the keyboard on when they are answered. */

import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { ApprovalCard } from "./card.tsx";
import type { Card, Cards } from "./cards.ts";
import styles from "./card-list.module.css";

interface CardListGiven {
  readonly cards: Cards;
  readonly shown: readonly Card[];
  readonly label: string;
  /** A link to where it is asked. */
  readonly chatOf?: (card: Card) => JSX.Element;
}

export function CardList({ cards, shown, label, chatOf }: CardListGiven): JSX.Element {
  const list = useRef<HTMLElement>(null);
  const before = useRef<HTMLElement | null>(null);
  const order = shown.map(({ request, end }) => `${request.id}${end === null ? "" : "!"}`).join(" ");
  const handOn = (): void => {
    const next = firstWaiting(list.current);
    if (next !== null) next.focus();
    else (before.current?.isConnected === true ? before.current : document.getElementById("main"))?.focus();
  };
  return (
    <section
      ref={list}
      class={styles["list"]}
      aria-label={label}
      onFocusIn={({ relatedTarget }) => {
        const isElsewhere = relatedTarget instanceof HTMLElement && list.current?.contains(relatedTarget) !== true;
        if (isElsewhere) before.current = relatedTarget;
      }}
    >
      {shown.map((card) => {
        const chat = chatOf?.(card);
        return (
          <ApprovalCard
            key={card.request.id}
            card={card}
            cards={cards}
            order={order}
            onLeave={handOn}
            {...(chat === undefined ? {} : { chat })}
          />
        );
      })}
    </section>
  );
}

export const firstWaiting = (within: ParentNode | null): HTMLElement | null =>
  within?.querySelector<HTMLElement>("[data-waiting]") ?? null;

/** Whether the keyboard may be taken to another place: not from where somebody types, chooses from a menu, or in a dialog. */
export function mayTakeFocus(): boolean {
  const at = document.activeElement;
  if (document.querySelector("dialog[open]") !== null) return false;
  if (!(at instanceof HTMLElement)) return true;
  return !at.isContentEditable && at.closest('input, textarea, select, [role="menu"], [role="listbox"]') === null;
}
