/** Chats under the days of their last change, and those whose titles hold what is searched for. */

import type { Session } from "../gateway/shapes.ts";

export interface Group {
  readonly key: string;
  readonly name: GroupName;
  readonly sessions: readonly Session[];
}

export type GroupName =
  | { readonly kind: "today" | "yesterday" | "week" | "month" }
  /** Its first moment, in epoch seconds. */
  | { readonly kind: "past"; readonly from: number };

/** The order of `sessions` stays. `now`: epoch seconds. */
export function grouped(sessions: readonly Session[], now: number): Group[] {
  const groups: (Group & { readonly sessions: Session[] })[] = [];
  for (const session of sessions) {
    const name = groupOf(session.updatedAt, now);
    const key = name.kind === "past" ? `past ${name.from}` : name.kind;
    const last = groups.at(-1);
    if (last?.key === key) last.sessions.push(session);
    else
      groups.push({
        key: groups.some((one) => one.key === key) ? `${key} ${session.id}` : key,
        name,
        sessions: [session],
      });
  }
  return groups;
}

function groupOf(moment: number, now: number): GroupName {
  const date = new Date(moment * 1000);
  const days = Math.round((startOfDay(new Date(now * 1000)) - startOfDay(date)) / 86_400_000);
  if (days <= 0) return { kind: "today" };
  if (days === 1) return { kind: "yesterday" };
  if (days <= 7) return { kind: "week" };
  if (days <= 30) return { kind: "month" };
  return { kind: "past", from: new Date(date.getFullYear(), date.getMonth(), 1).getTime() / 1000 };
}

/** Noon keeps away from days that are an hour longer or shorter. */
const startOfDay = (date: Date): number => new Date(date.getFullYear(), date.getMonth(), date.getDate(), 12).getTime();

/** Case and accents make no difference. */
export const folded = (text: string): string => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** All words of `query` are in the title. */
export function matches(title: string, query: string): boolean {
  const text = folded(title);
  return folded(query)
    .split(/\s+/)
    .every((word) => text.includes(word));
}
