/** A cron job as a form, for a new one and to change one. */

import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import type { CronJob, CronJobWanted } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Switch, TextArea, TextField } from "../ui/field.tsx";
import { firstLine } from "./first-line.ts";
import { FormFrame } from "./form-frame.tsx";
import { CRON_HINTS } from "./hints.ts";
import { ScheduleFields } from "./schedule-fields.tsx";
import { useForm } from "./use-form.ts";
import { placeKey, placeOf } from "./place.ts";
import { WhereField } from "./where.tsx";
import { WhoFields } from "./who.tsx";
import styles from "./automation.module.css";

interface CronFormGiven {
  /** Null for a new one. */
  readonly job: CronJob | null;
  readonly onDone: (job: CronJob) => void;
  readonly onCancel: () => void;
}

const FRESH = {
  title: "",
  schedule: "0 8 * * *",
  isCustom: false,
  timezone: "",
  prompt: "",
  agent: "",
  provider: "",
  model: "",
  place: "",
  quietFrom: "",
  quietTo: "",
  runsMissed: false,
};
type CronFields = typeof FRESH;

export const cronFormName = (job: CronJob | null): string => `cron:${job?.id ?? "new"}`;

export function CronForm({ job, onDone, onCancel }: CronFormGiven): JSX.Element {
  const { gateway } = useGateway();
  const zones = useId();
  const initial = job === null ? { ...FRESH, timezone: zoneOfThisDevice() } : fieldsOf(job);
  const form = useForm({ name: cronFormName(job), initial, hints: CRON_HINTS });
  const { values, set, errorOf } = form;
  const save = async (): Promise<void> => {
    const wanted = wantedOf(values);
    onDone(job === null ? await gateway.api.cron.create(wanted) : await gateway.api.cron.change(job.id, wanted));
  };
  return (
    <FormFrame
      form={form}
      label={job === null ? t("automation.newCron") : t("automation.edit")}
      submitLabel={job === null ? t("automation.createCron") : t("automation.save")}
      onSubmit={save}
      onCancel={onCancel}
    >
      <TextArea
        label={t("automation.prompt")}
        hint={t("automation.cronPromptHint")}
        rows={5}
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
      <ScheduleFields
        schedule={values.schedule}
        isCustom={values.isCustom}
        onChange={(schedule, isCustom) => set({ schedule, isCustom })}
        error={errorOf("schedule")}
      />
      <TextField
        label={t("automation.timezone")}
        hint={t("automation.timezoneHint")}
        value={values.timezone}
        onType={(timezone) => set({ timezone })}
        error={errorOf("timezone")}
        list={zones}
        autocomplete="off"
        spellcheck={false}
      />
      <datalist id={zones}>
        {Intl.supportedValuesOf("timeZone").map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
      <WhereField value={values.place} onChoose={(place) => set({ place })} error={errorOf("place")} />
      <WhoFields who={values} onChoose={set} errorOf={errorOf} />
      <fieldset class={styles["group"]}>
        <legend>{t("automation.quiet")}</legend>
        <p class={styles["quiet"]}>{t("automation.quietHint")}</p>
        <div class={styles["columns"]}>
          <TextField
            label={t("automation.quietFrom")}
            type="time"
            value={values.quietFrom}
            onType={(quietFrom) => set({ quietFrom })}
            error={errorOf("quietFrom")}
          />
          <TextField
            label={t("automation.quietTo")}
            type="time"
            value={values.quietTo}
            onType={(quietTo) => set({ quietTo })}
            error={errorOf("quietTo")}
          />
        </div>
      </fieldset>
      <Switch
        label={t("automation.runsMissed")}
        hint={t("automation.runsMissedHint")}
        isOn={values.runsMissed}
        onSwitch={(runsMissed) => set({ runsMissed })}
      />
    </FormFrame>
  );
}

function fieldsOf(job: CronJob): CronFields {
  return {
    ...{ title: job.title, schedule: job.schedule, isCustom: false, timezone: job.timezone, prompt: job.prompt },
    ...{ agent: job.agent, provider: job.provider ?? "", model: job.model ?? "", place: placeKey(job) },
    ...{ quietFrom: job.quietFrom ?? "", quietTo: job.quietTo ?? "", runsMissed: job.missed === "run_once" },
  };
}

function wantedOf(values: CronFields): CronJobWanted {
  const { title, schedule, prompt, timezone, agent, provider, model, quietFrom, quietTo } = values;
  return {
    ...{ title: title.trim() || firstLine(prompt), schedule, prompt, timezone: timezone.trim() || null },
    ...{ agent: agent || null, provider: provider || null, model: model || null },
    ...{ quietFrom: quietFrom || null, quietTo: quietTo || null, ...placeOf(values.place) },
    missed: values.runsMissed ? "run_once" : "skip",
  };
}

const zoneOfThisDevice = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;
