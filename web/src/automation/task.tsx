/** One background task: what it is to do, how it stands, and what it has come to. */

import { RotateCcw, Square, Trash2 } from "lucide";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { go } from "../app/router.ts";
import { toastError } from "../app/toasts.tsx";
import type { Message, Run } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Markdown } from "../markdown/markdown.tsx";
import { Button } from "../ui/button.tsx";
import { Confirm } from "../ui/confirm.tsx";
import { OneFrame } from "./frame.tsx";
import { gone } from "./gone.ts";
import { Loaded } from "./loaded.tsx";
import type { Loader } from "./loader.ts";
import { isUnderWay, RunStatus } from "./run-status.tsx";
import { RunTimes } from "./run-times.tsx";
import { startAgain } from "./tasks.tsx";
import { Tools } from "./tools.tsx";
import { useLoaded } from "./use-loaded.ts";
import { whoWords } from "./who.tsx";
import styles from "./automation.module.css";

interface Found {
  readonly task: Run;
  readonly messages: readonly Message[];
}

export function TaskPage({ id }: { id: string }): JSX.Element {
  const { gateway } = useGateway();
  const found = useLoaded(
    `task ${id}`,
    async (): Promise<Found> => {
      const [task, { messages }] = await Promise.all([gateway.api.tasks.get(id), gateway.api.tasks.messages(id)]);
      return { task, messages };
    },
    ({ task }) => isUnderWay(task),
  );
  return (
    <OneFrame tab="tasks" title={found.value.value?.task.title ?? t("automation.task")}>
      <Loaded of={found}>{(value) => <Task found={value} loader={found} />}</Loaded>
    </OneFrame>
  );
}

function Task({ found, loader }: { found: Found; loader: Loader<Found> }): JSX.Element {
  const { task, messages } = found;
  const isLive = isUnderWay(task);
  const answers = messages.filter(({ sender }) => sender !== "user");
  const tools = answers.flatMap((message) => message.tools);
  const said = task.answer ?? answers.map(({ content }) => content).join("\n\n");
  return (
    <>
      <div class={styles["top"]}>
        <p class={styles["facts"]}>
          <span class={styles["live"]} role="status">
            <RunStatus status={task.status} />
          </span>
          <span>{whoWords(task)}</span>
          <RunTimes run={task} />
          {task.attempt > 1 && <span>{t("automation.attempt", { count: task.attempt })}</span>}
        </p>
        <Actions task={task} isLive={isLive} loader={loader} />
      </div>
      <section class={styles["section"]}>
        <h2>{t("automation.prompt")}</h2>
        <p class={styles["prompt"]}>{task.prompt}</p>
      </section>
      {tools.length > 0 && (
        <section class={styles["section"]}>
          <h2>{t("automation.tools")}</h2>
          <Tools tools={tools} />
        </section>
      )}
      {task.error !== null && (
        <section class={styles["section"]}>
          <h2>{t("automation.error")}</h2>
          <p class={styles["wrong"]}>{task.error}</p>
        </section>
      )}
      {said !== "" && (
        <section class={styles["section"]}>
          <h2>{isLive ? t("automation.answerSoFar") : t("automation.answer")}</h2>
          <Markdown text={said} isStreaming={isLive} />
        </section>
      )}
      {said === "" && task.error === null && (
        <p class={styles["quiet"]}>
          {task.status === "queued"
            ? t("automation.waitsForTurn")
            : isLive
              ? t("automation.noAnswerYet")
              : t("automation.noAnswer")}
        </p>
      )}
    </>
  );
}

function Actions({ task, isLive, loader }: { task: Run; isLive: boolean; loader: Loader<Found> }): JSX.Element {
  const { gateway } = useGateway();
  const [isAsking, setAsking] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const cancel = (): void => {
    setBusy(true);
    void gateway.api.tasks
      .cancel(task.id)
      .then(() => loader.load())
      .catch(toastError)
      .finally(() => setBusy(false));
  };
  return (
    <div class={styles["actions"]}>
      {isLive ? (
        <Button icon={Square} isBusy={isBusy} onClick={cancel}>
          {t("automation.cancelTask")}
        </Button>
      ) : (
        <>
          <Button icon={RotateCcw} onClick={() => startAgain(gateway, wantedAgain(task))}>
            {t("automation.runAgain")}
          </Button>
          <Button tone="danger" icon={Trash2} onClick={() => setAsking(true)}>
            {t("automation.delete")}
          </Button>
        </>
      )}
      {isAsking && (
        <Confirm
          title={t("automation.deleteTask")}
          words={t("automation.deleteTaskWords", { title: task.title })}
          label={t("automation.delete")}
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            await gone(gateway.api.tasks.remove(task.id));
            go({ name: "automation", tab: "tasks", id: null }, { replace: true });
          }}
        />
      )}
    </div>
  );
}

const wantedAgain = ({ prompt, title, agent, provider, model }: Run): Parameters<typeof startAgain>[1] => ({
  ...{ prompt, title, agent },
  ...(provider === null ? {} : { provider }),
  ...(model === null ? {} : { model }),
});
