/** Notifications by the days on which they came. */

import { dayKey } from "../app/dates.ts";

export interface Day<Item> {
  readonly key: string;
  /** Newest first, as they came. */
  readonly items: readonly Item[];
}

/** `items`: newest first. */
export function byDay<Item extends { readonly createdAt: number }>(items: readonly Item[]): readonly Day<Item>[] {
  const days: { key: string; items: Item[] }[] = [];
  for (const item of items) {
    const key = dayKey(item.createdAt);
    const day = days.at(-1);
    if (day?.key === key) day.items.push(item);
    else days.push({ key, items: [item] });
  }
  return days;
}
