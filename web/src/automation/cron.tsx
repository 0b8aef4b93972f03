/** Cron jobs: the list, and the screen of a new one. */

import { CalendarClock } from "lucide";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { dateTime, relative } from "../app/dates.ts";
import { go, hashOf } from "../app/router.ts";
import { toastError } from "../app/toasts.tsx";
import type { CronJob } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Empty } from "../ui/empty.tsx";
import { Switch } from "../ui/field.tsx";
import { CronForm } from "./cron-form.tsx";
import { ListFrame, OneFrame } from "./frame.tsx";
import { Loaded } from "./loaded.tsx";
import { onward } from "./onward.ts";
import { isUnderWay, RunStatus } from "./run-status.tsx";
import { Moment } from "./run-times.tsx";
import { scheduleWords } from "./schedule-words.ts";
import { useLoaded } from "./use-loaded.ts";
import styles from "./automation.module.css";

export function CronList(): JSX.Element {
  const { gateway } = useGateway();
  const jobs = useLoaded(
    "cron",
    () => gateway.api.cron.list(),
    (found) => found.some(({ lastRun }) => lastRun !== null && isUnderWay(lastRun)),
  );
  return (
    <ListFrame tab="cron" hint={t("automation.cronHint")} newLabel={t("automation.newCron")}>
      <Loaded of={jobs}>
        {(found) =>
          found.length === 0 ? (
            <Empty icon={CalendarClock} title={t("automation.noCron")}>
              <p>{t("automation.noCronHint")}</p>
            </Empty>
          ) : (
            <ul class={styles["list"]}>
              {found.map((job) => (
                <li key={job.id} class={styles["item"]}>
                  <div class={styles["about"]}>
                    <a class={styles["name"]} href={hashOf({ name: "automation", tab: "cron", id: job.id })}>
                      {job.title}
                    </a>
                    <p class={styles["facts"]}>
                      <ScheduleText job={job} />
                      {job.nextRunAt !== null && (
                        <span title={dateTime(job.nextRunAt)}>
                          {t("automation.nextRun", { when: relative(job.nextRunAt) })}
                        </span>
                      )}
                    </p>
                    {job.lastRun !== null && (
                      <p class={styles["facts"]}>
                        <RunStatus status={job.lastRun.status} />
                        <Moment at={job.lastRun.startedAt ?? job.lastRun.createdAt} />
                      </p>
                    )}
                  </div>
                  <CronSwitch
                    job={job}
                    onChanged={(changed) => jobs.set(found.map((one) => (one.id === changed.id ? changed : one)))}
                  />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </ListFrame>
  );
}

/** In words where there are some; the zone only where it is another one than here. */
export function ScheduleText({ job }: { job: CronJob }): JSX.Element {
  const words = scheduleWords(job.schedule);
  const isHere = job.timezone === Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <span>
      {words ?? <code>{job.schedule}</code>}
      {!isHere && ` (${job.timezone})`}
    </span>
  );
}

export function CronSwitch({ job, onChanged }: { job: CronJob; onChanged: (job: CronJob) => void }): JSX.Element {
  const { gateway } = useGateway();
  const [isBusy, setBusy] = useState(false);
  const change = async (enabled: boolean): Promise<void> => {
    setBusy(true);
    try {
      onChanged(await gateway.api.cron.change(job.id, { enabled }));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div role="group" aria-label={job.title}>
      <Switch
        label={t("automation.active")}
        isOn={job.enabled}
        disabled={isBusy}
        onSwitch={(enabled) => void change(enabled).catch(toastError)}
      />
    </div>
  );
}

export function NewCronJob(): JSX.Element {
  const [goOn] = useState(onward);
  return (
    <OneFrame tab="cron" title={t("automation.newCron")}>
      <CronForm
        job={null}
        onDone={({ id }) => goOn({ name: "automation", tab: "cron", id }, { replace: true })}
        onCancel={() => go({ name: "automation", tab: "cron", id: null }, { replace: true })}
      />
    </OneFrame>
  );
}
