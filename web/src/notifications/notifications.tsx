/** What happened while nobody looked, newest first. What is read here is read on all devices. */

import { Bell, CheckCheck } from "lucide";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { dayName } from "../app/dates.ts";
import { sentenceOf, toastError } from "../app/toasts.tsx";
import { GatewayError } from "../gateway/errors.ts";
import { t } from "../i18n/language.ts";
import { Button, IconButton } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { Switch } from "../ui/field.tsx";
import { Screen } from "../ui/screen.tsx";
import { byDay } from "./days.ts";
import { OneNotification } from "./one-notification.tsx";
import styles from "./notifications.module.css";

export function NotificationsScreen(): JSX.Element {
  const { gateway, notifications, hello } = useGateway();
  const { list, hasMore, unread } = notifications.value;
  const [isOnlyUnread, setOnlyUnread] = useState(false);
  const [trouble, setTrouble] = useState<GatewayError | null>(null);
  const [isLoading, setLoading] = useState(false);

  const load = (read: () => Promise<void>): void => {
    setLoading(true);
    void read()
      .then(() => setTrouble(null))
      .catch((error: unknown) => {
        if (!(error instanceof GatewayError)) throw error;
        setTrouble(error);
      })
      .finally(() => setLoading(false));
  };
  const isOnline = hello.value !== null;
  useEffect(() => {
    if (list === null && isOnline) load(() => gateway.notifications.load());
  }, [list === null, isOnline]);

  const shown = list?.filter(({ read }) => !isOnlyUnread || !read) ?? [];
  const more = (): void => load(() => gateway.notifications.loadMore());
  const isBare = list !== null && shown.length === 0;
  useEffect(() => {
    if (isBare && hasMore && !isLoading && trouble === null) more(); // what is looked for may be further down
  }, [isBare, hasMore, isLoading, trouble]);

  const readAll = (
    <IconButton
      icon={CheckCheck}
      label={t("notifications.readAll")}
      disabled={unread === 0}
      onClick={() => void gateway.notifications.readAll().catch(toastError)}
    />
  );
  return (
    <Screen title={t("notifications.title")} actions={readAll}>
      <div class={styles["filter"]}>
        <Switch label={t("notifications.onlyUnread")} isOn={isOnlyUnread} onSwitch={setOnlyUnread} />
        <p>{unread > 0 && t("notifications.unread", { count: unread })}</p>
      </div>
      {byDay(shown).map(({ key, items }) => (
        <section key={key} class={styles["day"]} aria-labelledby={`day-${key}`}>
          <h2 id={`day-${key}`}>{dayName(items[0]?.createdAt ?? 0)}</h2>
          <ul class={styles["list"]}>
            {items.map((one) => (
              <OneNotification
                key={one.id}
                notification={one}
                onRead={() => void gateway.notifications.read(one.id).catch(toastError)}
              />
            ))}
          </ul>
        </section>
      ))}
      {trouble !== null && (
        <p class={styles["trouble"]} role="alert">
          {sentenceOf(trouble)}
        </p>
      )}
      {list === null && trouble === null && <p class={styles["loading"]}>{t("shell.loading")}</p>}
      {hasMore && <More isLoading={isLoading} onMore={more} />}
      {isBare && !hasMore && (
        <Empty icon={Bell} title={isOnlyUnread ? t("notifications.allRead") : t("notifications.none")}>
          {!isOnlyUnread && <p>{t("notifications.noneHint")}</p>}
        </Empty>
      )}
    </Screen>
  );
}

/** Comes by itself when it is scrolled to; the button is for those who do not scroll, and for after a failure. */
function More({ isLoading, onMore }: { isLoading: boolean; onMore: () => void }): JSX.Element {
  const button = useRef<HTMLButtonElement>(null);
  const latest = useRef(onMore);
  latest.current = onMore;
  useEffect(() => {
    const element = button.current;
    if (element === null) return;
    const observer = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting === true) latest.current();
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return (
    <p class={styles["more"]}>
      <Button tone="quiet" buttonRef={button} isBusy={isLoading} onClick={onMore}>
        {t("notifications.more")}
      </Button>
    </p>
  );
}
