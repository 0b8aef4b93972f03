/** The last runs of a cron job or a webhook, each with what it came to. */

import { ChevronRight, MessageSquare } from "lucide";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { hashOf } from "../app/router.ts";
import type { Run } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Markdown } from "../markdown/markdown.tsx";
import { excerpt } from "../notifications/place.ts";
import { Icon } from "../ui/icon.tsx";
import { RunStatus } from "./run-status.tsx";
import { RunTimes } from "./run-times.tsx";
import styles from "./run-list.module.css";

export function RunList({ runs }: { runs: readonly Run[] }): JSX.Element {
  if (runs.length === 0) return <p class={styles["none"]}>{t("automation.noRuns")}</p>;
  return (
    <ul class={styles["list"]}>
      {runs.map((run) => (
        <OneRun key={run.id} run={run} />
      ))}
    </ul>
  );
}

/** `details` would do, but draws its inside always: answers are long, and there are many. */
function OneRun({ run }: { run: Run }): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const said = run.error ?? run.answer ?? "";
  const head = (
    <>
      <RunStatus status={run.status} />
      <span class={styles["times"]}>
        <RunTimes run={run} />
      </span>
      <span class={styles["excerpt"]}>{isOpen ? "" : excerpt(said, 120)}</span>
    </>
  );
  if (said === "" && run.chatId === null) return <li class={styles["bare"]}>{head}</li>;
  return (
    <li>
      <button type="button" class={styles["head"]} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span class={styles["chevron"]}>
          <Icon of={ChevronRight} size={16} />
        </span>
        {head}
      </button>
      {isOpen && <RunResult run={run} />}
    </li>
  );
}

/** What a run said, or why it did not. */
export function RunResult({ run }: { run: Run }): JSX.Element {
  const isInChat = run.chatId !== null && run.sessionId !== null;
  return (
    <div class={styles["result"]}>
      {run.error !== null && <p class={styles["error"]}>{run.error}</p>}
      {run.answer !== null && run.answer !== "" && <Markdown text={run.answer} />}
      {isInChat && (
        <a class={styles["chat"]} href={hashOf({ name: "chat", session: run.sessionId })}>
          <Icon of={MessageSquare} size={16} />
          {t("automation.toChat")}
        </a>
      )}
    </div>
  );
}
