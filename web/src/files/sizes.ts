/** Sizes as people read them. */

import { locale } from "../app/dates.ts";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

export function sizeInWords(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  const unit = UNITS[power] ?? "byte";
  const maximumFractionDigits = value < 10 && power > 0 ? 1 : 0;
  return new Intl.NumberFormat(locale.value, {
    style: "unit",
    unit,
    unitDisplay: "short",
    maximumFractionDigits,
  }).format(value);
}
