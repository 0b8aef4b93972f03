/** What a person said: their words as they typed them, their files, and what can be done with them. */

import { ChevronDown, ChevronUp, Copy, Pencil } from "lucide";
import type { JSX } from "preact";
import { timeOfDay, wholeMoment } from "../app/dates.ts";
import { FileCard } from "../files/file-card.tsx";
import { splitIncoming } from "../files/incoming.ts";
import { t } from "../i18n/language.ts";
import type { Turn } from "../state/turns.ts";
import { IconButton } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { memo } from "../ui/memo.ts";
import { useConversation } from "./context.ts";
import { useCopying } from "./copying.ts";
import { isLong, linkified } from "./plain-text.ts";
import styles from "./question.module.css";

interface QuestionGiven {
  readonly turn: Turn;
  readonly user: NonNullable<Turn["user"]>;
  readonly isLast: boolean;
}

export function Question({ turn, user, isLast }: QuestionGiven): JSX.Element {
  const { edit, editing } = useConversation();
  const copying = useCopying();
  const isEdited = editing.value === turn.id;
  return (
    <div class={styles["question"]} data-edited={isEdited || undefined}>
      <Message id={turn.id} message={user.text} />
      <div class={styles["meta"]}>
        <IconButton
          icon={copying.icon(Copy)}
          size={15}
          label={t("conversation.copyMessage")}
          onClick={() => copying.copy(splitIncoming(user.text).text || user.text)}
        />
        {isLast && (
          <IconButton icon={Pencil} size={15} label={t("conversation.edit")} keys="E" onClick={() => edit(turn)} />
        )}
        <time dateTime={new Date(user.createdAt * 1000).toISOString()} title={wholeMoment(user.createdAt)}>
          {timeOfDay(user.createdAt)}
        </time>
      </div>
    </div>
  );
}

/** Its files, and then its words. */
export const Message = memo(function Message({ id, message }: { id: string; message: string }): JSX.Element {
  const { files, text } = splitIncoming(message);
  return (
    <>
      {files.length > 0 && (
        <div class={styles["files"]}>
          {files.map(({ path, name }) => (
            <FileCard key={path} file={{ path, name }} />
          ))}
        </div>
      )}
      {text !== "" && <Bubble id={id} text={text} />}
    </>
  );
});

/** More than fits where a message is folded. */
const SHOWN_CHARS = 4_000;

/** A long message shows its beginning. */
function Bubble({ id, text }: { id: string; text: string }): JSX.Element {
  const { memory } = useConversation();
  const isOpen = memory.fold(`${id} question`);
  const canFold = isLong(text);
  const isFolded = canFold && !isOpen.value;
  return (
    <div class={styles["bubble"]}>
      <p class={styles["words"]} data-folded={isFolded || undefined}>
        {linkified(isFolded ? text.slice(0, SHOWN_CHARS) : text).map(({ kind, text: part }, place) =>
          kind === "text" ? (
            part
          ) : (
            <a key={place} href={part} target="_blank" rel="noopener noreferrer">
              {part}
            </a>
          ),
        )}
      </p>
      {canFold && (
        <button
          type="button"
          class={styles["more"]}
          aria-expanded={isOpen.value}
          onClick={() => (isOpen.value = !isOpen.peek())}
        >
          <Icon of={isOpen.value ? ChevronUp : ChevronDown} size={15} />
          {isOpen.value ? t("conversation.showLess") : t("conversation.showAll")}
        </button>
      )}
    </div>
  );
}
