/** A chat in which nothing was said yet. */

import type { JSX } from "preact";
import { t } from "../i18n/language.ts";
import { Avatar } from "../ui/avatar.tsx";
import { useConversation } from "./context.ts";
import styles from "./greeting.module.css";

const SUGGESTIONS = ["explain", "write", "plan"] as const;

export function Greeting(): JSX.Element {
  const { agent, agentTitle, write } = useConversation();
  return (
    <div class={styles["region"]}>
      <div class={styles["greeting"]}>
        <Avatar agent={agent} size={56} />
        <h2>{t("conversation.greeting", { agent: agentTitle })}</h2>
        <ul class={styles["suggestions"]} aria-label={t("conversation.suggestions")}>
          {SUGGESTIONS.map((name) => (
            <li key={name}>
              <button type="button" onClick={() => write(t(`conversation.suggestion.${name}.text`))}>
                {t(`conversation.suggestion.${name}`)}
              </button>
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}
