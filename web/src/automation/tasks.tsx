/** Background tasks: the list, and the form for a new one. */

import { ListTodo } from "lucide";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { go, hashOf } from "../app/router.ts";
import { toastError } from "../app/toasts.tsx";
import type { Api } from "../gateway/api.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { NewTask as Wanted, Run } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { Switch, TextArea, TextField } from "../ui/field.tsx";
import { FormFrame } from "./form-frame.tsx";
import { ListFrame, OneFrame } from "./frame.tsx";
import { TASK_HINTS } from "./hints.ts";
import { Loaded } from "./loaded.tsx";
import { onward } from "./onward.ts";
import { isUnderWay, RunStatus } from "./run-status.tsx";
import { RunTimes } from "./run-times.tsx";
import { useForm } from "./use-form.ts";
import { useLoaded } from "./use-loaded.ts";
import { WhoFields, whoWords } from "./who.tsx";
import styles from "./automation.module.css";

const PAGE = 50;

export function TaskList(): JSX.Element {
  const { gateway } = useGateway();
  const [count, setCount] = useState(PAGE);
  const tasks = useLoaded(
    `tasks ${count}`,
    () => newest(gateway.api.tasks, count),
    (found) => found.some(isUnderWay),
  );
  return (
    <ListFrame tab="tasks" hint={t("automation.tasksHint")} newLabel={t("automation.newTask")}>
      <Loaded of={tasks}>
        {(found) =>
          found.length === 0 ? (
            <Empty icon={ListTodo} title={t("automation.noTasks")}>
              <p>{t("automation.noTasksHint")}</p>
            </Empty>
          ) : (
            <>
              <ul class={styles["list"]}>
                {found.map((task) => (
                  <li key={task.id} class={styles["item"]}>
                    <div class={styles["about"]}>
                      <a class={styles["name"]} href={hashOf({ name: "automation", tab: "tasks", id: task.id })}>
                        {task.title}
                      </a>
                      <p class={styles["facts"]}>
                        <span>{whoWords(task)}</span>
                        <RunTimes run={task} />
                      </p>
                    </div>
                    <RunStatus status={task.status} />
                  </li>
                ))}
              </ul>
              {found.length >= count && (
                <p class={styles["more"]}>
                  <Button tone="quiet" onClick={() => setCount(count + PAGE)}>
                    {t("automation.more")}
                  </Button>
                </p>
              )}
            </>
          )
        }
      </Loaded>
    </ListFrame>
  );
}

/** Page by page: all that is shown is read anew, and not only its beginning. */
async function newest({ list }: Api["tasks"], count: number): Promise<readonly Run[]> {
  let found = await list({ limit: PAGE });
  for (
    let last = found.at(-1);
    last !== undefined && found.length % PAGE === 0 && found.length < count;
    last = found.at(-1)
  ) {
    const page = await list({ limit: PAGE, before: last.id });
    if (page.length === 0) break;
    found = [...found, ...page];
  }
  return found;
}

const INITIAL = { prompt: "", title: "", agent: "", provider: "", model: "", repeats: false };

export function NewTask(): JSX.Element {
  const { gateway } = useGateway();
  const form = useForm({ name: "task:new", initial: INITIAL, hints: TASK_HINTS });
  const { values, set, errorOf } = form;
  const create = async (): Promise<void> => {
    const goOn = onward();
    const task = await gateway.api.tasks.create(wantedOf(values));
    goOn({ name: "automation", tab: "tasks", id: task.id }, { replace: true });
  };
  return (
    <OneFrame tab="tasks" title={t("automation.newTask")}>
      <FormFrame
        form={form}
        label={t("automation.newTask")}
        submitLabel={t("automation.startTask")}
        onSubmit={create}
        onCancel={() => go({ name: "automation", tab: "tasks", id: null }, { replace: true })}
      >
        <TextArea
          label={t("automation.prompt")}
          hint={t("automation.taskPromptHint")}
          rows={6}
          value={values.prompt}
          onType={(prompt) => set({ prompt })}
          error={errorOf("prompt")}
        />
        <TextField
          label={t("automation.name")}
          hint={t("automation.nameHint")}
          value={values.title}
          onType={(title) => set({ title })}
          error={errorOf("title")}
          autocomplete="off"
        />
        <WhoFields who={values} onChoose={set} errorOf={errorOf} />
        <Switch
          label={t("automation.repeats")}
          hint={t("automation.repeatsHint")}
          isOn={values.repeats}
          onSwitch={(repeats) => set({ repeats })}
        />
      </FormFrame>
    </OneFrame>
  );
}

/** Start the same once more, and look at it. */
export function startAgain(gateway: Gateway, wanted: Wanted): void {
  const goOn = onward();
  void gateway.api.tasks
    .create(wanted)
    .then(({ id }) => goOn({ name: "automation", tab: "tasks", id }))
    .catch(toastError);
}

/** What is empty is left out: the gateway knows better. */
function wantedOf({ prompt, title, agent, provider, model, repeats }: typeof INITIAL): Wanted {
  const chosen = Object.entries({ title: title.trim(), agent, provider, model }).filter(([, value]) => value !== "");
  return { prompt, repeats, ...Object.fromEntries(chosen) };
}
