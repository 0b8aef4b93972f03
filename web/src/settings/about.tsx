/** Where this page stands, how it becomes an app, and which versions these are. */

import { Download, RefreshCw } from "lucide";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { lackOf } from "../app/capabilities.ts";
import { CapabilityNote } from "../app/capability-note.tsx";
import { useClient } from "../app/context.ts";
import { installPrompt, isInstalled } from "../app/install.ts";
import { isOutdated, pageVersion, reloadPage } from "../app/page-version.ts";
import { GatewayError } from "../gateway/errors.ts";
import { t } from "../i18n/language.ts";
import type { GatewayState } from "../state/gateway.ts";
import { Button } from "../ui/button.tsx";
import { installHint } from "./install-hint.ts";
import { StandingPanel } from "./standing-panel.tsx";
import styles from "./settings.module.css";

export function About(): JSX.Element {
  const gateway = useClient().current.value;
  return (
    <>
      <StandingPanel />
      <Install />
      <Versions gateway={gateway} />
    </>
  );
}

function Install(): JSX.Element {
  const lack = lackOf("serviceWorker");
  const install = installPrompt.value;
  return (
    <section class={styles["part"]}>
      <h2>{t("settings.install")}</h2>
      {isInstalled.value ? (
        <p class={styles["quiet"]}>{t("settings.install.done")}</p>
      ) : (
        <>
          <p class={styles["quiet"]}>{t("settings.install.hint")}</p>
          {lack !== null && <CapabilityNote feature="serviceWorker" lack={lack} />}
          {lack === null && install === null && (
            <p class={styles["quiet"]}>{t(`settings.install.${installHint(navigator)}`)}</p>
          )}
          {install !== null && (
            <Button tone="primary" icon={Download} onClick={() => void install()}>
              {t("settings.install.do")}
            </Button>
          )}
        </>
      )}
    </section>
  );
}

function Versions({ gateway }: { gateway: GatewayState | null }): JSX.Element {
  const version = useGatewayVersion(gateway);
  return (
    <section class={styles["part"]}>
      <h2>{t("settings.versions")}</h2>
      <dl class={styles["versions"]}>
        <dt>{t("settings.version.page")}</dt>
        <dd>{pageVersion}</dd>
        {gateway !== null && (
          <>
            <dt>{t("settings.version.gateway")}</dt>
            <dd>{version ?? t("settings.version.unknown")}</dd>
          </>
        )}
      </dl>
      {isOutdated.value && (
        <>
          <p>{t("pwa.newVersion")}</p>
          <Button icon={RefreshCw} onClick={reloadPage}>
            {t("pwa.reload")}
          </Button>
        </>
      )}
      {!isOutdated.value && version !== null && version !== pageVersion && (
        <p class={styles["quiet"]}>{t("settings.version.differs")}</p>
      )}
      <ul class={styles["links"]}>
        {gateway !== null && (
          <li>
            <a href={`${gateway.gateway.url}/docs`} target="_blank" rel="noreferrer">
              {t("settings.docs")}
            </a>{" "}
            <span>{t("settings.docs.hint")}</span>
          </li>
        )}
        <li>
          <a href="./licences.txt" target="_blank" rel="noreferrer">
            {t("settings.licences")}
          </a>{" "}
          <span>{t("settings.licence")}</span>
        </li>
      </ul>
    </section>
  );
}

/** Null until the gateway has said it. */
function useGatewayVersion(gateway: GatewayState | null): string | null {
  const [version, setVersion] = useState<string | null>(null);
  const hello = gateway?.hello.value ?? null; // after an update the gateway says hello anew
  useEffect(() => {
    if (gateway === null || hello === null) return;
    gateway.gateway.api.status().then(
      (status) => setVersion(status.version),
      (error: unknown) => {
        if (!(error instanceof GatewayError)) throw error;
        setVersion(null); // the page says elsewhere that the gateway is away
      },
    );
  }, [gateway, hello]);
  return version;
}
