import type { Translated } from "../catalogue.ts";
import type { notifications as english } from "../en/notifications.ts";

export const notifications: Translated<typeof english> = {
  "notifications.unread": { one: "Eine ungelesene Benachrichtigung", other: "{count} ungelesene Benachrichtigungen" },
};
