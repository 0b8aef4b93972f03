/** A message that is not with the gateway yet, and what can be done about it. */

import { RotateCw, Undo2 } from "lucide";
import type { JSX } from "preact";
import { toastError } from "../app/toasts.tsx";
import type { Outgoing } from "../gateway/outbox.ts";
import { t, tOf } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { memo } from "../ui/memo.ts";
import { useConversation } from "./context.ts";
import { Message } from "./question.tsx";
import styles from "./outgoing.module.css";

export const OutgoingMessage = memo(function OutgoingMessage({ message }: { message: Outgoing }): JSX.Element {
  const { open, write } = useConversation();
  const { id, text, state, error } = message;
  const takeBack = async (): Promise<void> => {
    const taken = await open.chat.outbox.discard(id);
    if (taken !== null) write(taken);
  };
  return (
    <div class={styles["outgoing"]} data-state={state}>
      <h2 class="visually-hidden" id={`turn-out-${id}`}>
        {t("conversation.unsent")}
      </h2>
      <div class={styles["message"]}>
        <Message id={id} message={text} />
      </div>
      <div class={styles["meta"]}>
        <span class={styles["state"]}>{stateOf(message)}</span>
        {state !== "sending" && (
          <Button tone="quiet" icon={Undo2} onClick={() => void takeBack().catch(toastError)}>
            {t("conversation.takeBack")}
          </Button>
        )}
        {state === "failed" && (
          <Button tone="quiet" icon={RotateCw} onClick={() => open.chat.outbox.retry(id)}>
            {t("conversation.sendAgain")}
          </Button>
        )}
      </div>
      {error !== null && (
        <p class={styles["why"]} role={state === "failed" ? "alert" : undefined}>
          {tOf("error", error, "error.internal_error")}
        </p>
      )}
    </div>
  );
});

function stateOf({ state, isKept }: Outgoing): string {
  if (state === "sending") return t("outgoing.sending");
  if (state === "failed") return t("outgoing.failed");
  return isKept ? t("outgoing.waiting") : t("outgoing.notKept");
}
