/** Under an answer: what can be done with it, and who gave it. */

import { Copy, RotateCw } from "lucide";
import type { JSX } from "preact";
import { duration } from "../app/dates.ts";
import { showsUsage } from "../app/preferences.ts";
import { useGateway } from "../app/context.ts";
import { language, t } from "../i18n/language.ts";
import type { Turn } from "../state/turns.ts";
import type { Usage } from "../protocol/messages.ts";
import { IconButton } from "../ui/button.tsx";
import { answerersOf } from "./answerers.ts";
import { markdownOf } from "./blocks.ts";
import { useConversation } from "./context.ts";
import { useCopying } from "./copying.ts";
import { withoutFileTags } from "./plain-text.ts";
import styles from "./answer-footer.module.css";

export function AnswerFooter({ turn }: { turn: Turn }): JSX.Element | null {
  const { retry } = useConversation();
  const copying = useCopying();
  const text = withoutFileTags(markdownOf(turn.parts), false).trim();
  const canRetry = turn.status === "done" && turn.user !== null; // of the others the notice offers it
  const facts = useFacts(turn);
  if (text === "" && !canRetry && facts === "") return null;
  return (
    <footer class={styles["footer"]}>
      {text !== "" && (
        <IconButton
          icon={copying.icon(Copy)}
          size={15}
          label={t("conversation.copyAnswer")}
          onClick={() => copying.copy(text)}
        />
      )}
      {canRetry && <IconButton icon={RotateCw} size={15} label={t("conversation.retry")} onClick={() => retry(turn)} />}
      <span class={styles["facts"]}>{facts}</span>
    </footer>
  );
}

/** Less is no time to people. */
const LEAST_MS = 100;

function useFacts({ provider, model, durationMs, usage }: Turn): string {
  const { providers } = answerersOf(useGateway());
  const name = provider === null ? null : (providers.value?.find(({ id }) => id === provider)?.name ?? provider);
  const facts = [
    ...(name === null ? [] : [name]),
    ...(model === null || model === provider ? [] : [model]),
    ...(durationMs === null || durationMs < LEAST_MS ? [] : [duration(durationMs / 1000)]),
    ...(usage === null || showsUsage.value === "off" ? [] : wordsOf(usage)),
  ];
  return facts.join(" · ");
}

function wordsOf({ inputTokens, outputTokens, costUsd }: Usage): string[] {
  const tokens = t("conversation.tokens", { input: inputTokens, output: outputTokens });
  if (costUsd === null) return [tokens];
  const digits = costUsd < 0.1 ? 4 : 2;
  const cost = new Intl.NumberFormat(language.value, {
    ...{ style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: digits },
  });
  return [tokens, cost.format(costUsd)];
}
