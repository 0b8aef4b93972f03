/** When a job runs: a choice of usual schedules, or the five fields of cron. */

import type { JSX } from "preact";
import { t } from "../i18n/language.ts";
import { Select, TextField } from "../ui/field.tsx";
import { DAYS_OF_MONTH, expressionOf, presetOf, presetOfKind, PRESET_KINDS, STEPS, type Preset } from "./schedule.ts";
import { weekdayName } from "./schedule-words.ts";
import styles from "./automation.module.css";

interface ScheduleFieldsGiven {
  readonly schedule: string;
  /** The five fields are typed, even if a preset says the same. */
  readonly isCustom: boolean;
  readonly onChange: (schedule: string, isCustom: boolean) => void;
  readonly error: string | null;
}

const WEEK = [1, 2, 3, 4, 5, 6, 0];

export function ScheduleFields({ schedule, isCustom, onChange, error }: ScheduleFieldsGiven): JSX.Element {
  const found = presetOf(schedule);
  const preset = isCustom ? null : found;
  return (
    <div class={styles["columns"]}>
      <Select
        label={t("automation.schedule")}
        value={preset?.kind ?? "custom"}
        options={[
          ...PRESET_KINDS.map((kind) => ({ value: kind, label: t(`automation.preset.${kind}`) })),
          { value: "custom", label: t("automation.preset.custom") },
        ]}
        onChoose={(kind) => {
          if (kind === "custom") onChange(schedule, true);
          else onChange(expressionOf(presetOfKind(kind, found)), false);
        }}
        error={preset === null ? null : error}
      />
      {preset === null ? (
        <TextField
          label={t("automation.expression")}
          hint={t("automation.expressionHint")}
          value={schedule}
          onType={(typed) => onChange(typed, true)}
          spellcheck={false}
          autocomplete="off"
          error={error}
        />
      ) : (
        <PresetFields preset={preset} onChange={(next) => onChange(expressionOf(next), false)} />
      )}
    </div>
  );
}

function PresetFields({ preset, onChange }: { preset: Preset; onChange: (preset: Preset) => void }): JSX.Element {
  switch (preset.kind) {
    case "minutes":
      return (
        <Select
          label={t("automation.every")}
          value={String(preset.every)}
          options={STEPS.map((step) => ({
            value: String(step),
            label: t("automation.minutes", { count: step }),
          }))}
          onChoose={(every) => onChange({ ...preset, every: Number(every) })}
        />
      );
    case "hourly":
      return (
        <Select
          label={t("automation.minute")}
          value={String(preset.minute)}
          options={Array.from({ length: 60 }, (_, minute) => ({
            value: String(minute),
            label: `:${String(minute).padStart(2, "0")}`,
          }))}
          onChoose={(minute) => onChange({ ...preset, minute: Number(minute) })}
        />
      );
    case "daily":
    case "weekdays":
      return <Time time={preset.time} onType={(time) => onChange({ ...preset, time })} />;
    case "weekly":
      return (
        <>
          <Select
            label={t("automation.weekday")}
            value={String(preset.day)}
            options={WEEK.map((day) => ({ value: String(day), label: weekdayName(day) }))}
            onChoose={(day) => onChange({ ...preset, day: Number(day) })}
          />
          <Time time={preset.time} onType={(time) => onChange({ ...preset, time })} />
        </>
      );
    case "monthly":
      return (
        <>
          <Select
            label={t("automation.dayOfMonth")}
            value={preset.day}
            options={DAYS_OF_MONTH.map((day) => ({
              value: day,
              label: day === "L" ? t("automation.lastDay") : day,
            }))}
            onChoose={(day) => onChange({ ...preset, day })}
          />
          <Time time={preset.time} onType={(time) => onChange({ ...preset, time })} />
        </>
      );
  }
}

const Time = ({ time, onType }: { time: string; onType: (time: string) => void }): JSX.Element => (
  <TextField label={t("automation.time")} type="time" value={time} onType={onType} />
);
