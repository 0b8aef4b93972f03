/** Schedules that people choose without knowing the five fields of cron, and those five fields. */

export type Preset =
  | { readonly kind: "minutes"; readonly every: number }
  | { readonly kind: "hourly"; readonly minute: number }
  | { readonly kind: "daily"; readonly time: string }
  /** From Monday to Friday. */
  | { readonly kind: "weekdays"; readonly time: string }
  /** `day`: 0 is Sunday. */
  | { readonly kind: "weekly"; readonly day: number; readonly time: string }
  /** `day`: `L` is the last one. */
  | { readonly kind: "monthly"; readonly day: string; readonly time: string };
export type PresetKind = Preset["kind"];

export const PRESET_KINDS = ["minutes", "hourly", "daily", "weekdays", "weekly", "monthly"] as const;
export const STEPS = [5, 10, 15, 20, 30] as const;
export const DAYS_OF_MONTH: readonly string[] = [...Array.from({ length: 31 }, (_, day) => String(day + 1)), "L"];

const EIGHT = "08:00";
const MONDAY = 1;

export function expressionOf(preset: Preset): string {
  switch (preset.kind) {
    case "minutes":
      return `*/${preset.every} * * * *`;
    case "hourly":
      return `${preset.minute} * * * *`;
    case "daily":
      return `${clockFields(preset.time)} * * *`;
    case "weekdays":
      return `${clockFields(preset.time)} * * 1-5`;
    case "weekly":
      return `${clockFields(preset.time)} * * ${preset.day}`;
    case "monthly":
      return `${clockFields(preset.time)} ${preset.day} * *`;
  }
}

/** Null for a schedule that no preset makes. */
export function presetOf(expression: string): Preset | null {
  const [minute = "", hour = "", day = "", month = "", weekday = "", ...more] = expression.trim().split(/\s+/);
  if (more.length > 0 || month !== "*") return null;
  const every = STEPS.find((step) => minute === `*/${step}`);
  if (every !== undefined)
    return [hour, day, weekday].every((field) => field === "*") ? { kind: "minutes", every } : null;
  if (!isNumber(minute, 59)) return null;
  if (hour === "*") return day === "*" && weekday === "*" ? { kind: "hourly", minute: Number(minute) } : null;
  if (!isNumber(hour, 23)) return null;
  const time = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  if (day !== "*") return weekday === "*" && isDayOfMonth(day) ? { kind: "monthly", day: dayOf(day), time } : null;
  if (weekday === "*") return { kind: "daily", time };
  if (/^(1-5|MON-FRI)$/i.test(weekday)) return { kind: "weekdays", time };
  return isNumber(weekday, 7) ? { kind: "weekly", day: Number(weekday) % 7, time } : null;
}

/** Of another kind, at the same time of day where both have one. */
export function presetOfKind(kind: PresetKind, before: Preset | null): Preset {
  const time = before !== null && "time" in before ? before.time : EIGHT;
  switch (kind) {
    case "minutes":
      return { kind, every: 15 };
    case "hourly":
      return { kind, minute: 0 };
    case "daily":
    case "weekdays":
      return { kind, time };
    case "weekly":
      return { kind, day: MONDAY, time };
    case "monthly":
      return { kind, day: "1", time };
  }
}

/** `07:30` as the first two fields. A field of a form that is empty for a moment is midnight. */
function clockFields(time: string): string {
  const [hour = "", minute = ""] = time.split(":");
  return `${Number(minute)} ${Number(hour)}`;
}

const isNumber = (field: string, most: number): boolean => /^\d{1,2}$/.test(field) && Number(field) <= most;
const isDayOfMonth = (field: string): boolean => DAYS_OF_MONTH.includes(dayOf(field));
const dayOf = (field: string): string => (/^\d+$/.test(field) ? String(Number(field)) : field.toUpperCase());
