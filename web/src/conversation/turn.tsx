/** One turn: the day if it is another one, what a person said, and what the agent answered. */

import { useComputed } from "@preact/signals";
import type { JSX } from "preact";
import { dayKey, dayName } from "../app/dates.ts";
import { splitIncoming } from "../files/incoming.ts";
import { t } from "../i18n/language.ts";
import type { TurnRow } from "../state/transcript.ts";
import { memo } from "../ui/memo.ts";
import { Answer } from "./answer.tsx";
import { Question } from "./question.tsx";
import { today } from "./today.ts";
import styles from "./turn.module.css";

interface TurnGiven {
  readonly row: TurnRow;
  readonly before: TurnRow | null;
  readonly isLast: boolean;
}

/** It is drawn anew when its own turn changes, and not for those around it. */
export const TurnView = memo(function TurnView({ row, before, isLast }: TurnGiven): JSX.Element {
  const turn = row.turn.value;
  return (
    <div class={styles["turn"]}>
      <Day row={row} before={before} />
      <span hidden id={`turn-${row.id}`}>
        {turn.user === null
          ? t("conversation.answer")
          : t("conversation.youSaid", { words: beginning(splitIncoming(turn.user.text).text) })}
      </span>
      {turn.user !== null && <h2 class="visually-hidden">{t("conversation.you")}</h2>}
      {turn.user !== null && <Question turn={turn} user={turn.user} isLast={isLast} />}
      <Answer turn={turn} />
    </div>
  );
});

function Day({ row, before }: { row: TurnRow; before: TurnRow | null }): JSX.Element | null {
  const moment = useComputed(() => {
    const at = row.turn.value.user?.createdAt;
    const last = before?.turn.value.user?.createdAt;
    const isAnother = at !== undefined && (last === undefined || dayKey(at) !== dayKey(last));
    return isAnother ? at : null;
  }).value;
  if (moment === null) return null;
  return (
    <p class={styles["day"]}>
      <time dateTime={new Date(moment * 1000).toISOString()}>{dayName(moment, today.value)}</time>
    </p>
  );
}

const beginning = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text);
