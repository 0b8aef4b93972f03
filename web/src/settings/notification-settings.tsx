/** Notifications of the desktop, on this device. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { lackOf, type Lack } from "../app/capabilities.ts";
import { CapabilityNote } from "../app/capability-note.tsx";
import { notifiesDesktop } from "../app/preferences.ts";
import { t } from "../i18n/language.ts";
import { askForDesktop } from "../notifications/desktop.ts";
import { Switch } from "../ui/field.tsx";
import styles from "./settings.module.css";

export function NotificationSettings(): JSX.Element {
  const [lack, setLack] = useState<Lack | null>(lackOf("notifications"));
  const [wasIgnored, setIgnored] = useState(false);
  const change = async (isOn: boolean): Promise<void> => {
    const isAllowed = isOn && (await askForDesktop());
    notifiesDesktop.value = isAllowed ? "on" : "off";
    const now = lackOf("notifications"); // the person may just have said no
    setLack(now);
    setIgnored(isOn && !isAllowed && now === null);
  };
  return (
    <>
      <Switch
        label={t("settings.desktop")}
        hint={t("settings.desktop.hint")}
        isOn={notifiesDesktop.value === "on" && lack === null}
        disabled={lack !== null}
        onSwitch={(isOn) => void change(isOn)}
      />
      <div role="status">
        {lack !== null && <CapabilityNote feature="notifications" lack={lack} />}
        {wasIgnored && <p class={styles["quiet"]}>{t("settings.desktop.ignored")}</p>}
      </div>
      <p class={styles["quiet"]}>{t("settings.desktop.where")}</p>
    </>
  );
}
