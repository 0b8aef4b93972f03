/** The way to the notifications, with the number of those that nobody has read. */

import { Bell as BellIcon } from "lucide";
import type { JSX } from "preact";
import { useGateway } from "../app/context.ts";
import { hashOf, route } from "../app/router.ts";
import { t } from "../i18n/language.ts";
import { Icon } from "../ui/icon.tsx";
import styles from "./bell.module.css";

const MOST = 99;

export function Bell(): JSX.Element {
  const { unread } = useGateway().notifications.value;
  const label = unread === 0 ? t("notifications.title") : t("notifications.unread", { count: unread });
  return (
    <a
      class={styles["bell"]}
      href={hashOf({ name: "notifications" })}
      aria-label={label}
      aria-current={route.value.name === "notifications" ? "page" : undefined}
      title={label}
    >
      <Icon of={BellIcon} />
      {unread > 0 && (
        <span class={styles["count"]} aria-hidden="true">
          {unread > MOST ? `${MOST}+` : unread}
        </span>
      )}
    </a>
  );
}
