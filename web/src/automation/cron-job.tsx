/** One cron job: when it runs, what it does, and what its last runs came to. */

import { Pencil, Play, Trash2 } from "lucide";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { dateTime, relative } from "../app/dates.ts";
import { go } from "../app/router.ts";
import { toast, toastError } from "../app/toasts.tsx";
import type { CronJob, Run } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { Confirm } from "../ui/confirm.tsx";
import { CronForm, cronFormName } from "./cron-form.tsx";
import { CronSwitch, ScheduleText } from "./cron.tsx";
import { Facts } from "./facts.tsx";
import { OneFrame } from "./frame.tsx";
import { gone } from "./gone.ts";
import { Loaded } from "./loaded.tsx";
import type { Loader } from "./loader.ts";
import { RunList } from "./run-list.tsx";
import { isUnderWay } from "./run-status.tsx";
import { clock } from "./schedule-words.ts";
import { useEditing } from "./use-editing.ts";
import { useLoaded } from "./use-loaded.ts";
import { ChatName } from "./where.tsx";
import { whoWords } from "./who.tsx";
import styles from "./automation.module.css";

interface Found {
  readonly job: CronJob;
  readonly runs: readonly Run[];
}

export function CronJobPage({ id }: { id: string }): JSX.Element {
  const { gateway } = useGateway();
  const found = useLoaded(
    `cron ${id}`,
    async (): Promise<Found> => {
      const [job, runs] = await Promise.all([gateway.api.cron.get(id), gateway.api.cron.runs(id)]);
      return { job, runs };
    },
    ({ runs }) => runs.some(isUnderWay),
  );
  return (
    <OneFrame tab="cron" title={found.value.value?.job.title ?? t("automation.cronJob")}>
      <Loaded of={found}>{(value) => <OneCronJob found={value} loader={found} />}</Loaded>
    </OneFrame>
  );
}

function OneCronJob({ found, loader }: { found: Found; loader: Loader<Found> }): JSX.Element {
  const { job, runs } = found;
  const editing = useEditing(cronFormName(job));
  const show = (changed: CronJob): void => loader.set({ ...found, job: changed });
  if (editing.isOpen) {
    return (
      <CronForm
        job={job}
        onCancel={editing.close}
        onDone={(changed) => {
          show(changed);
          editing.close();
        }}
      />
    );
  }
  return (
    <>
      <div class={styles["top"]}>
        <CronSwitch job={job} onChanged={show} />
        <Actions job={job} onEdit={editing.open} loader={loader} isRunning={runs.some(isUnderWay)} />
      </div>
      <Facts
        of={[
          [t("automation.schedule"), <ScheduleText key="schedule" job={job} />],
          [
            t("automation.next"),
            job.nextRunAt === null ? t("automation.never") : `${dateTime(job.nextRunAt)} (${relative(job.nextRunAt)})`,
          ],
          [t("automation.timezone"), job.timezone],
          [
            t("automation.quiet"),
            job.quietFrom === null || job.quietTo === null
              ? null
              : t("automation.quietBetween", { from: clock(job.quietFrom), to: clock(job.quietTo) }),
          ],
          [t("automation.missed"), job.missed === "run_once" ? t("automation.missedOnce") : t("automation.missedSkip")],
          [t("automation.where"), <ChatName key="where" place={job} />],
          [t("automation.who"), whoWords(job)],
        ]}
      />
      <section class={styles["section"]}>
        <h2>{t("automation.prompt")}</h2>
        <p class={styles["prompt"]}>{job.prompt}</p>
      </section>
      <section class={styles["section"]}>
        <h2>{t("automation.runs")}</h2>
        <RunList runs={runs} />
      </section>
    </>
  );
}

interface ActionsGiven {
  readonly job: CronJob;
  readonly loader: Loader<Found>;
  readonly isRunning: boolean;
  readonly onEdit: () => void;
}

function Actions({ job, loader, isRunning, onEdit }: ActionsGiven): JSX.Element {
  const { gateway } = useGateway();
  const [isAsking, setAsking] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const run = async (): Promise<void> => {
    setBusy(true);
    try {
      await gateway.api.cron.run(job.id);
      toast({ text: t("automation.started") });
      await loader.load();
    } finally {
      setBusy(false);
    }
  };
  return (
    <div class={styles["actions"]}>
      <Button icon={Play} isBusy={isBusy} disabled={isRunning} onClick={() => void run().catch(toastError)}>
        {t("automation.runNow")}
      </Button>
      <Button icon={Pencil} onClick={onEdit}>
        {t("automation.edit")}
      </Button>
      <Button tone="danger" icon={Trash2} onClick={() => setAsking(true)}>
        {t("automation.delete")}
      </Button>
      {isAsking && (
        <Confirm
          title={t("automation.deleteCron")}
          words={t("automation.deleteCronWords", { title: job.title })}
          label={t("automation.delete")}
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            await gone(gateway.api.cron.remove(job.id));
            go({ name: "automation", tab: "cron", id: null }, { replace: true });
          }}
        />
      )}
    </div>
  );
}
