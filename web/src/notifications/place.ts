/** Where a notification leads, and what of it fits into a few lines. */

import type { Route } from "../app/router.ts";
import type { Notification } from "../protocol/messages.ts";

type Told = Pick<Notification, "type" | "sourceId" | "sessionId" | "chatId">;

/** What it is about: a task, a cron job or a webhook; or else the chat in which it was said. */
export function sourceOf(notification: Told): Route | null {
  const { type, sourceId } = notification;
  const tab = ({ task: "tasks", cron: "cron", webhook: "webhooks" } as const)[type];
  if (tab !== undefined && sourceId !== null) return { name: "automation", tab, id: sourceId };
  return chatOf(notification);
}

/** The chat in which it was said, unless the agent worked in a session of its own. */
export const chatOf = ({ chatId, sessionId }: Told): Route | null =>
  chatId === null || sessionId === null ? null : { name: "chat", session: sessionId };

const MAX_CHARS = 280;

/** The beginning of a text in Markdown, in one line and without the signs that only make it look good. */
export function excerpt(text: string, most = MAX_CHARS): string {
  const line = text
    .slice(0, 4 * most)
    .replace(/^\s*(?:#{1,6}|>|[-*+]|\d+[.)])\s+/gm, "")
    .replace(/^\s*(?:`{3,}|~{3,}).*$/gm, "")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/(\*\*|__|`)(.+?)\1/g, "$2")
    .replace(/\s+/g, " ")
    .trim();
  const points = [...line];
  return points.length <= most
    ? line
    : `${points
        .slice(0, most - 1)
        .join("")
        .trimEnd()}…`;
}
