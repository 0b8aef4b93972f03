/** Where this page stands: what is protected, what is not, and which versions these are. */

import { CircleAlert, CircleCheck, Download } from "lucide";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { isSecurePage, lackOf, type Feature } from "../app/capabilities.ts";
import { CapabilityNote } from "../app/capability-note.tsx";
import { useClient } from "../app/context.ts";
import { installPrompt, isInstalled } from "../app/install.ts";
import { toastError } from "../app/toasts.tsx";
import { isPrivate } from "../gateway/link.ts";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import styles from "./settings.module.css";

const FEATURES: readonly Feature[] = ["microphone", "notifications", "serviceWorker", "encryptedToken"];

export function About(): JSX.Element {
  const client = useClient();
  const current = client.current.value;
  const [identity, setIdentity] = useState<string | null>(null);
  const [version, setVersion] = useState<string | null>(null);
  const url = current === null ? null : current.gateway.url;
  const isOnline = current?.connection.value.phase === "online";
  useEffect(() => {
    if (url !== null) void client.identityOf(url).then(setIdentity);
  }, [client, url]);
  useEffect(() => {
    if (isOnline && current !== null)
      current.gateway.api.status().then((status) => setVersion(status.version), toastError);
  }, [current, isOnline]);
  const install = installPrompt.value;
  return (
    <>
      <section class={styles["part"]}>
        <h2>{t("settings.stands")}</h2>
        <ul class={styles["stands"]}>
          <Stand isGood text={t("settings.endToEnd")} />
          {url !== null && (
            <Stand isGood={identity !== null} text={t(identity === null ? "settings.unproven" : "settings.proven")} />
          )}
          <Stand isGood={isSecurePage} text={t(isSecurePage ? "settings.securePage" : "settings.insecurePage")} />
          {url !== null && (
            <Stand isGood={isPrivate(url)} text={t(isPrivate(url) ? "settings.filesPrivate" : "settings.filesPlain")} />
          )}
          <Stand
            isGood={client.canKeepTokens}
            text={t(client.canKeepTokens ? "settings.tokenKept" : "settings.tokenInWindow")}
          />
          <Stand isGood={false} text={t("settings.draftsPlain")} />
        </ul>
        {FEATURES.map((feature) => (
          <Missing key={feature} feature={feature} />
        ))}
      </section>
      <section class={styles["part"]}>
        <h2>{t("settings.install")}</h2>
        {isInstalled.value ? (
          <p>{t("settings.installed")}</p>
        ) : install === null ? (
          <p>{t("settings.installHint")}</p>
        ) : (
          <Button icon={Download} onClick={() => void install()}>
            {t("settings.installNow")}
          </Button>
        )}
      </section>
      <section class={styles["part"]}>
        <h2>{t("settings.versions")}</h2>
        {version !== null && <p>{t("settings.gatewayVersion", { version })}</p>}
        {url !== null && (
          <p>
            <a href={`${url}/docs`} target="_blank" rel="noreferrer">
              {t("settings.apiDocs")}
            </a>
          </p>
        )}
        <p>{t("settings.licence")}</p>
      </section>
    </>
  );
}

function Missing({ feature }: { feature: Feature }): JSX.Element | null {
  const lack = lackOf(feature);
  return lack === null ? null : <CapabilityNote feature={feature} lack={lack} />;
}

function Stand({ isGood, text }: { isGood: boolean; text: string }): JSX.Element {
  return (
    <li data-good={isGood || undefined}>
      <Icon of={isGood ? CircleCheck : CircleAlert} />
      <span>
        <span class="visually-hidden">{t(isGood ? "settings.good" : "settings.mind")} </span>
        {text}
      </span>
    </li>
  );
}
