/** A schedule in words, where it is one that has some. */

import { locale } from "../app/dates.ts";
import { t } from "../i18n/language.ts";
import { presetOf } from "./schedule.ts";

/** Null: only its five fields say it. */
export function scheduleWords(expression: string): string | null {
  const preset = presetOf(expression);
  if (preset === null) return null;
  switch (preset.kind) {
    case "minutes":
      return t("automation.schedule.minutes", { count: preset.every });
    case "hourly":
      return preset.minute === 0
        ? t("automation.schedule.hourly")
        : t("automation.schedule.hourlyAt", { minute: String(preset.minute).padStart(2, "0") });
    case "daily":
      return t("automation.schedule.daily", { time: clock(preset.time) });
    case "weekdays":
      return t("automation.schedule.weekdays", { time: clock(preset.time) });
    case "weekly":
      return t("automation.schedule.weekly", { day: weekdayName(preset.day), time: clock(preset.time) });
    case "monthly":
      return preset.day === "L"
        ? t("automation.schedule.monthlyLast", { time: clock(preset.time) })
        : t("automation.schedule.monthly", { day: preset.day, time: clock(preset.time) });
  }
}

/** 0 is Sunday. */
export const weekdayName = (day: number): string =>
  new Intl.DateTimeFormat(locale.value, { weekday: "long", timeZone: "UTC" }).format(Date.UTC(1970, 0, 4 + day));

/** `07:30` as people write it here. */
export function clock(time: string): string {
  const [hour = "", minute = ""] = time.split(":");
  const format = new Intl.DateTimeFormat(locale.value, { hour: "numeric", minute: "2-digit", timeZone: "UTC" });
  return format.format(Date.UTC(1970, 0, 1, Number(hour), Number(minute)));
}
