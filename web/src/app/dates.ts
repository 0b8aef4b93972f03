/** Moments and spans of time as people read them, in the language of the page. Moments are epoch seconds, as the gateway tells them. */

import { computed } from "@preact/signals";
import { language } from "../i18n/language.ts";

/** The language of the page as it is written where its reader lives, if the browser says so: `en-GB` puts the day first. */
export const locale = computed(() => {
  const { languages = [] } = (globalThis as { navigator?: { languages?: readonly string[] } }).navigator ?? {};
  return languages.find((one) => one === language.value || one.startsWith(`${language.value}-`)) ?? language.value;
});

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making one costs more than using it a thousand times. */
function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale.value} ${JSON.stringify(options)}`;
  const known = formats.get(key);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat(locale.value, options);
  formats.set(key, made);
  return made;
}

const dateOf = (moment: number): Date => new Date(moment * 1000);

/** Such as `14:05`. */
export const timeOfDay = (moment: number): string =>
  format({ hour: "2-digit", minute: "2-digit" }).format(dateOf(moment));

/** Such as `3 Mar 2026, 14:05`; in another time zone, if one is named. */
export function dateTime(moment: number, timeZone?: string): string {
  const options: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: "short" };
  if (timeZone === undefined) return format(options).format(dateOf(moment));
  try {
    return format({ ...options, timeZone }).format(dateOf(moment));
  } catch {
    return format(options).format(dateOf(moment)); // a zone that this browser does not know
  }
}

/** All of it, for what is shown when one points at a short form. */
export const wholeMoment = (moment: number): string =>
  format({ dateStyle: "full", timeStyle: "medium" }).format(dateOf(moment));

/** A day as a heading: today, yesterday, or its date. */
export function dayName(moment: number, now = Date.now() / 1000): string {
  const days = daysBetween(moment, now);
  if (days === 0 || days === -1) {
    const name = new Intl.RelativeTimeFormat(locale.value, { numeric: "auto" }).format(days, "day");
    return name.charAt(0).toLocaleUpperCase(locale.value) + name.slice(1);
  }
  const isThisYear = dateOf(moment).getFullYear() === dateOf(now).getFullYear();
  return format({
    weekday: "long",
    day: "numeric",
    month: "long",
    ...(isThisYear ? {} : { year: "numeric" }),
  }).format(dateOf(moment));
}

/** The same for all moments of one day, here. */
export function dayKey(moment: number): string {
  const date = dateOf(moment);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

/** Such as `5 minutes ago` or `in 2 hours`; what is further away than a week is a date. */
export function relative(moment: number, now = Date.now() / 1000): string {
  const seconds = moment - now;
  const far = Math.abs(seconds);
  if (far > 7 * DAY) return format({ dateStyle: "medium" }).format(dateOf(moment));
  const words = new Intl.RelativeTimeFormat(locale.value, { numeric: "auto" });
  if (far < MINUTE) return words.format(0, "second");
  if (far < HOUR) return words.format(Math.trunc(seconds / MINUTE), "minute");
  if (far < DAY) return words.format(Math.trunc(seconds / HOUR), "hour");
  return words.format(daysBetween(moment, now), "day");
}

/** Such as `80ms`, `12s`, `3m 5s` or `2h 10m`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (seconds < 1) return unit(Math.max(1, Math.round(seconds * 1000)), "millisecond");
  if (whole < MINUTE) return unit(seconds < 10 ? Math.round(seconds * 10) / 10 : whole, "second");
  const minutes = Math.floor(whole / MINUTE);
  if (whole < HOUR) return parts(unit(minutes, "minute"), whole % MINUTE, "second");
  return parts(unit(Math.floor(minutes / 60), "hour"), minutes % 60, "minute");
}

const unit = (value: number, name: string): string =>
  new Intl.NumberFormat(locale.value, { style: "unit", unit: name, unitDisplay: "narrow" }).format(value);

const parts = (first: string, rest: number, name: string): string =>
  rest === 0 ? first : `${first} ${unit(rest, name)}`;

/** Calendar days from `now` to `moment`, here. Noon keeps away from the days that are an hour longer or shorter. */
function daysBetween(moment: number, now: number): number {
  const noon = (at: number): number => dateOf(at).setHours(12, 0, 0, 0);
  return Math.round((noon(moment) - noon(now)) / (DAY * 1000));
}

/** Such as `March 2026`. */
export const monthName = (moment: number): string => format({ month: "long", year: "numeric" }).format(dateOf(moment));
