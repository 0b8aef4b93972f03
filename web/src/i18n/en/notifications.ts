export const notifications = {
  "notifications.unread": { one: "One unread notification", other: "{count} unread notifications" },
} as const;
