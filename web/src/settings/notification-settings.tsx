/** Notifications of the desktop, on this device. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { lackOf } from "../app/capabilities.ts";
import { CapabilityNote } from "../app/capability-note.tsx";
import { notifiesDesktop } from "../app/preferences.ts";
import { t } from "../i18n/language.ts";
import { askForDesktop } from "../notifications/desktop.ts";
import { Switch } from "../ui/field.tsx";

export function NotificationSettings(): JSX.Element {
  const [wasRefused, setRefused] = useState(false);
  const lack = lackOf("notifications");
  const change = async (isOn: boolean): Promise<void> => {
    const isAllowed = isOn && (await askForDesktop());
    setRefused(isOn && !isAllowed);
    notifiesDesktop.value = isAllowed ? "on" : "off";
  };
  return (
    <>
      <Switch
        label={t("settings.desktop")}
        hint={t("settings.desktopHint")}
        isOn={notifiesDesktop.value === "on" && lack === null}
        disabled={lack !== null}
        onSwitch={(isOn) => void change(isOn)}
      />
      {lack !== null && <CapabilityNote feature="notifications" lack={lack} />}
      {wasRefused && lack === null && <p role="alert">{t("settings.lack.notifications.refused")}</p>}
    </>
  );
}
