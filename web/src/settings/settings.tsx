/** What people choose about this page, and the gateways that it knows. */

import type { JSX } from "preact";
import { ApprovalsSettings } from "../approvals/approvals-settings.tsx";
import { useClient } from "../app/context.ts";
import { hashOf, SETTINGS_SECTIONS, type SettingsSection } from "../app/router.ts";
import { t } from "../i18n/language.ts";
import { Screen } from "../ui/screen.tsx";
import { About } from "./about.tsx";
import { Appearance } from "./appearance.tsx";
import { Gateways } from "./gateways.tsx";
import { NotificationSettings } from "./notification-settings.tsx";
import styles from "./settings.module.css";

export function Settings({ section }: { section: SettingsSection }): JSX.Element {
  const hasGateway = useClient().current.value !== null;
  return (
    <Screen title={t("settings.title")}>
      <nav class={styles["tabs"]} aria-label={t("settings.title")}>
        {SETTINGS_SECTIONS.filter((one) => hasGateway || one !== "approvals").map((one) => (
          <a
            key={one}
            href={hashOf({ name: "settings", section: one })}
            aria-current={one === section ? "page" : undefined}
          >
            {t(`settings.section.${one}`)}
          </a>
        ))}
        {!hasGateway && <a href={hashOf({ name: "chat", session: null })}>{t("settings.back")}</a>}
      </nav>
      <div class={styles["section"]}>
        {section === "appearance" && <Appearance />}
        {section === "gateways" && <Gateways />}
        {section === "notifications" && <NotificationSettings />}
        {section === "approvals" && hasGateway && <ApprovalsSettings />}
        {section === "about" && <About />}
      </div>
    </Screen>
  );
}
