/** What the agent of one session asks for, below its conversation. */

import { ShieldQuestion } from "lucide";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { useCommands } from "../app/commands.ts";
import { t } from "../i18n/language.ts";
import { CardList, firstWaiting, mayTakeFocus } from "./card-list.tsx";
import { useCards } from "./use-cards.ts";
import styles from "./session-approvals.module.css";

export function SessionApprovals({ sessionId }: { sessionId: string }): JSX.Element | null {
  const cards = useCards();
  const element = useRef<HTMLDivElement>(null);
  const shown = cards.all.value.filter(({ request }) => request.sessionId === sessionId);
  const waiting = shown.filter(({ end }) => end === null).map(({ request }) => request.id);
  const newest = waiting.at(-1);
  useEffect(() => {
    if (newest === undefined) return;
    firstWaiting(element.current)?.scrollIntoView({ block: "nearest" });
    if (mayTakeFocus()) firstWaiting(element.current)?.focus({ preventScroll: true });
  }, [newest]);
  const isAny = waiting.length > 0;
  const title = t("approvals.goTo");
  useCommands(
    useMemo(() => {
      if (!isAny) return [];
      const run = (): void => firstWaiting(element.current)?.focus();
      return [{ id: "approvals.go", title, icon: ShieldQuestion, keys: "mod+.", run }];
    }, [isAny, title]),
  );
  if (shown.length === 0) return null;
  return (
    <div ref={element} class={styles["place"]}>
      <CardList cards={cards} shown={shown} label={t("approvals.here")} />
    </div>
  );
}
