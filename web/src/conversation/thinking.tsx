/** What an agent thought, folded: it is there for whoever wants to know. */

import { ChevronRight, Lightbulb } from "lucide";
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { duration } from "../app/dates.ts";
import { t } from "../i18n/language.ts";
import { Icon } from "../ui/icon.tsx";
import { memo } from "../ui/memo.ts";
import { useConversation } from "./context.ts";
import styles from "./thinking.module.css";

interface ThinkingGiven {
  readonly turnId: string;
  /** Of the part among those of the turn. */
  readonly place: number;
  readonly text: string;
  readonly isGrowing: boolean;
}

export const Thinking = memo(function Thinking({ turnId, place, text, isGrowing }: ThinkingGiven): JSX.Element {
  const { memory } = useConversation();
  const isOpen = memory.fold(`${turnId} thinking ${place}`);
  const id = useId();
  return (
    <div class={styles["thinking"]}>
      <button
        type="button"
        class={styles["head"]}
        aria-expanded={isOpen.value}
        aria-controls={id}
        onClick={() => (isOpen.value = !isOpen.peek())}
      >
        <Icon of={Lightbulb} size={16} />
        <span class={isGrowing ? styles["growing"] : ""}>{titleOf(memory.thinking.of(turnId, place), isGrowing)}</span>
        <span class={styles["chevron"]}>
          <Icon of={ChevronRight} size={15} />
        </span>
      </button>
      <div id={id} class={styles["text"]} hidden={!isOpen.value}>
        {isOpen.value && text.trim()}
      </div>
    </div>
  );
});

function titleOf(seconds: number | null, isGrowing: boolean): string {
  if (isGrowing) return t("conversation.thinking");
  return seconds === null || seconds < 1
    ? t("conversation.thought")
    : t("conversation.thoughtFor", { time: duration(Math.round(seconds)) });
}
