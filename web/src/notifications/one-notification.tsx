import { AlertTriangle, Bell, Check, CircleAlert, Clock, ListTodo, MessageSquare, Webhook } from "lucide";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { timeOfDay, wholeMoment } from "../app/dates.ts";
import { hashOf } from "../app/router.ts";
import { t, tOf } from "../i18n/language.ts";
import { Markdown } from "../markdown/markdown.tsx";
import type { Notification } from "../protocol/messages.ts";
import { Button, IconButton } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { chatOf, excerpt, sourceOf } from "./place.ts";
import styles from "./notifications.module.css";

const ICONS = { cron: Clock, webhook: Webhook, task: ListTodo };

/** What is worse than an information, by icon and by word. */
const SEVERITIES = {
  warning: { icon: AlertTriangle, key: "notifications.warning" },
  critical: { icon: CircleAlert, key: "notifications.critical" },
} as const;

export function OneNotification({
  notification,
  onRead,
}: {
  notification: Notification;
  onRead: () => void;
}): JSX.Element {
  const { type, title, body, agent, severity, createdAt, read } = notification;
  const [isWhole, setWhole] = useState(false);
  const source = sourceOf(notification);
  const chat = chatOf(notification);
  const short = excerpt(body);
  const isMore = short !== body.trim();
  const grave = severity === "warning" || severity === "critical" ? SEVERITIES[severity] : null;
  const open = (): void => {
    if (!read) onRead();
  };
  return (
    <li class={styles["item"]} data-unread={!read || undefined}>
      <span class={styles["type"]}>
        <Icon of={type in ICONS ? ICONS[type as keyof typeof ICONS] : Bell} />
      </span>
      <div class={styles["content"]}>
        <p class={styles["meta"]}>
          {!read && <span class={styles["new"]}>{t("notifications.new")}</span>}
          {grave !== null && (
            <span class={styles["severity"]} data-severity={severity}>
              <Icon of={grave.icon} size={14} />
              {t(grave.key)}
            </span>
          )}
          <span>{tOf("notifications.type", type, "notifications.type.system")}</span>
          {agent !== null && <span>{agent}</span>}
          <time dateTime={new Date(createdAt * 1000).toISOString()} title={wholeMoment(createdAt)}>
            {timeOfDay(createdAt)}
          </time>
        </p>
        <h3>
          {source === null ? (
            title
          ) : (
            <a href={hashOf(source)} onClick={open}>
              {title}
            </a>
          )}
        </h3>
        {isWhole ? (
          <div class={styles["whole"]}>
            <Markdown text={body} />
          </div>
        ) : (
          short !== "" && <p class={styles["body"]}>{short}</p>
        )}
        {(isMore || chat !== null) && (
          <p class={styles["actions"]}>
            {isMore && (
              <Button
                tone="quiet"
                aria-expanded={isWhole}
                onClick={() => {
                  setWhole(!isWhole);
                  open();
                }}
              >
                {isWhole ? t("notifications.less") : t("notifications.whole")}
              </Button>
            )}
            {chat !== null && (
              <a class={styles["chat"]} href={hashOf(chat)} onClick={open}>
                <Icon of={MessageSquare} size={16} />
                {t("notifications.toChat")}
              </a>
            )}
          </p>
        )}
      </div>
      {!read && <IconButton icon={Check} label={t("notifications.read")} onClick={onRead} />}
    </li>
  );
}
