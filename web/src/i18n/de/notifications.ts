import type { Translated } from "../catalogue.ts";
import type { notifications as english } from "../en/notifications.ts";

export const notifications: Translated<typeof english> = {
  "notifications.unread": {
    one: "{count} ungelesene Benachrichtigung",
    other: "{count} ungelesene Benachrichtigungen",
  },
  "notifications.title": "Benachrichtigungen",
  "notifications.onlyUnread": "Nur ungelesene",
  "notifications.readAll": "Alle als gelesen markieren",
  "notifications.read": "Als gelesen markieren",
  "notifications.new": "Neu",
  "notifications.warning": "Warnung",
  "notifications.critical": "Kritisch",
  "notifications.type.cron": "Cron-Job",
  "notifications.type.webhook": "Webhook",
  "notifications.type.task": "Aufgabe",
  "notifications.type.system": "Gateway",
  "notifications.whole": "Alles zeigen",
  "notifications.less": "Weniger zeigen",
  "notifications.toChat": "Zum Chat",
  "notifications.more": "Frühere zeigen",
  "notifications.none": "Noch ist nichts geschehen",
  "notifications.noneHint": "Wenn eine Aufgabe, ein Cron-Job oder ein Webhook zu Ende ist, findest du es hier.",
  "notifications.allRead": "Du hast alles gelesen",
  "notifications.answered": "Dein Agent hat geantwortet",
  "notifications.answeredIn": "Beantwortet: {title}",
};
