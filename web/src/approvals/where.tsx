/** Where a question was asked, and the way there. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { hashOf } from "../app/router.ts";
import { GatewayError } from "../gateway/errors.ts";
import type { Run } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import type { Card } from "./cards.ts";
import styles from "./approvals.module.css";

export function Where({ card: { request }, onFollow }: { card: Card; onFollow: () => void }): JSX.Element | null {
  const { sessions } = useGateway();
  const { sessionId } = request;
  const session = sessions.list.value?.find(({ id }) => id === sessionId);
  const task = useTaskOf(session === undefined ? sessionId : null);
  if (session !== undefined) {
    return (
      <a class={styles["chat"]} href={hashOf({ name: "chat", session: sessionId })} onClick={onFollow}>
        {t("approvals.inChat", { title: session.title || t("approvals.untitled") })}
      </a>
    );
  }
  if (task === null) return <p class={styles["chat"]}>{t("approvals.inBackground")}</p>;
  return (
    <a class={styles["chat"]} href={hashOf({ name: "automation", tab: "tasks", id: task.id })} onClick={onFollow}>
      {t("approvals.inTask", { title: task.title })}
    </a>
  );
}

/** The sessions of background runs are in no list of chats: the task, if it is one of the newest. */
function useTaskOf(sessionId: string | null): Run | null {
  const { gateway } = useGateway();
  const [task, setTask] = useState<Run | null>(null);
  useEffect(() => {
    if (sessionId === null) return;
    gateway.api.tasks.list().then(
      (tasks) => setTask(tasks.find((one) => one.sessionId === sessionId) ?? null),
      (error: unknown) => {
        if (!(error instanceof GatewayError)) throw error; // without the way there, all that is asked is said all the same
      },
    );
  }, [gateway, sessionId]);
  return task;
}
