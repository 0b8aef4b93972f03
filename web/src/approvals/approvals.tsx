/**
 * What agents ask for in chats that are not looked at, above everything else. It is always there, so it also tells the
 * browser's tab and the desktop what wants attention.
 */

import { ShieldQuestion } from "lucide";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { route } from "../app/router.ts";
import { attention } from "../app/title.ts";
import { t } from "../i18n/language.ts";
import { useDesktopNotifications } from "../notifications/use-desktop.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icon.tsx";
import { CardList, firstWaiting } from "./card-list.tsx";
import type { Card, Cards } from "./cards.ts";
import { useCards } from "./use-cards.ts";
import { Where } from "./where.tsx";
import styles from "./approvals.module.css";

export function Approvals(): JSX.Element | null {
  const { hello, notifications } = useGateway();
  const cards = useCards();
  const [isOpen, setOpen] = useState(false);
  useDesktopNotifications();

  const shown = route.value;
  const here = shown.name === "chat" ? (shown.session ?? hello.value?.sessionId) : null;
  const others = cards.all.value.filter(({ request }) => request.sessionId !== here);
  const count = others.filter(({ end }) => end === null).length;
  const wanted = notifications.value.unread + cards.waiting.value.length;
  useEffect(() => {
    attention.value = wanted;
    return () => void (attention.value = 0);
  }, [wanted]);
  const isEmpty = others.length === 0;
  useEffect(() => {
    if (isEmpty) setOpen(false);
  }, [isEmpty]);

  if (isOpen && !isEmpty) {
    return <Elsewhere cards={cards} shown={others} onClose={() => setOpen(false)} />;
  }
  if (count === 0) return null;
  return (
    <aside class={styles["place"]} aria-label={t("approvals.here")}>
      <button type="button" class={styles["bar"]} aria-haspopup="dialog" onClick={() => setOpen(true)}>
        <Icon of={ShieldQuestion} />
        {t("approval.waiting", { count })}
      </button>
    </aside>
  );
}

interface ElsewhereGiven {
  readonly cards: Cards;
  readonly shown: readonly Card[];
  readonly onClose: () => void;
}

function Elsewhere({ cards, shown, onClose }: ElsewhereGiven): JSX.Element {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => firstWaiting(element.current)?.focus(), []);
  return (
    <Dialog title={t("approvals.here")} onClose={onClose}>
      <div ref={element}>
        <CardList
          cards={cards}
          shown={shown}
          label={t("approvals.here")}
          chatOf={(card) => <Where card={card} onFollow={onClose} />}
        />
      </div>
    </Dialog>
  );
}
