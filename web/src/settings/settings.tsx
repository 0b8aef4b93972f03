/** What people choose about this page, and the gateways that it knows. */

import { ShieldAlert, ShieldCheck } from "lucide";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { isSecurePage } from "../app/capabilities.ts";
import { useClient } from "../app/context.ts";
import { hashOf, SETTINGS_SECTIONS, type SettingsSection } from "../app/router.ts";
import { ApprovalsSettings } from "../approvals/approvals-settings.tsx";
import { t } from "../i18n/language.ts";
import { Icon } from "../ui/icon.tsx";
import { Screen } from "../ui/screen.tsx";
import { About } from "./about.tsx";
import { Appearance } from "./appearance.tsx";
import { Gateways } from "./gateways.tsx";
import { NotificationSettings } from "./notification-settings.tsx";
import styles from "./settings.module.css";

export function Settings({ section }: { section: SettingsSection }): JSX.Element {
  const hasGateway = useClient().current.value !== null;
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    nav.current?.querySelector("[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
  }, [section]);
  const actions = (
    <>
      {!hasGateway && (
        <a class={styles["back"]} href={hashOf({ name: "chat", session: null })}>
          {t("settings.back")}
        </a>
      )}
      <a
        class={styles["shield"]}
        href={hashOf({ name: "settings", section: "about" })}
        aria-label={t("settings.standing")}
        title={t("settings.standing")}
        data-secure={isSecurePage}
      >
        <Icon of={isSecurePage ? ShieldCheck : ShieldAlert} />
      </a>
    </>
  );
  return (
    <Screen title={t("settings.title")} actions={actions}>
      <nav ref={nav} class={styles["tabs"]} aria-label={t("settings.title")}>
        {SETTINGS_SECTIONS.filter((one) => hasGateway || one !== "approvals").map((one) => (
          <a
            key={one}
            href={hashOf({ name: "settings", section: one })}
            aria-current={one === section ? "page" : undefined}
          >
            {t(`settings.section.${one}`)}
          </a>
        ))}
      </nav>
      <div class={styles["section"]}>
        {section === "appearance" && <Appearance />}
        {section === "gateways" && <Gateways />}
        {section === "notifications" && <NotificationSettings />}
        {section === "approvals" && (hasGateway ? <ApprovalsSettings /> : <p>{t("settings.needsGateway")}</p>)}
        {section === "about" && <About />}
      </div>
    </Screen>
  );
}
