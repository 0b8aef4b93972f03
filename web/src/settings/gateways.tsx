/** The gateways that this browser knows, how to add one, and a way to forget everything. */

import { Trash2 } from "lucide";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { lackOf } from "../app/capabilities.ts";
import { CapabilityNote } from "../app/capability-note.tsx";
import { useClient } from "../app/context.ts";
import { Confirm } from "../ui/confirm.tsx";
import { LinkForm } from "../connect/link-form.tsx";
import { t, tOf } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { forgetBrowser } from "./forgetting.ts";
import { OneGateway } from "./one-gateway.tsx";
import styles from "./settings.module.css";

export function Gateways(): JSX.Element {
  const client = useClient();
  const [isForgetting, setForgetting] = useState(false);
  const known = client.gateways.value;
  const trouble = client.trouble.value;
  const lack = lackOf("encryptedToken") ?? (client.canKeepTokens ? null : "refused");
  return (
    <>
      {trouble !== null && (
        <p class={styles["trouble"]} role="alert">
          {tOf("error", trouble, "error.internal_error")}
        </p>
      )}
      {known.length === 0 && <p class={styles["quiet"]}>{t("settings.gateway.none")}</p>}
      {known.length > 0 && (
        <ul class={styles["gateways"]} aria-label={t("settings.section.gateways")}>
          {known.map((one) => (
            <OneGateway key={one.url} known={one} />
          ))}
        </ul>
      )}
      {lack !== null && <CapabilityNote feature="encryptedToken" lack={lack} />}
      <section class={styles["part"]}>
        <h2>{t("settings.gateway.add")}</h2>
        <LinkForm />
      </section>
      <section class={styles["part"]}>
        <h2>{t("settings.forgetAll")}</h2>
        <p class={styles["quiet"]}>{t("settings.forgetAll.hint")}</p>
        <Button tone="danger" icon={Trash2} onClick={() => setForgetting(true)}>
          {t("settings.forgetAll.do")}
        </Button>
      </section>
      {isForgetting && (
        <Confirm
          title={t("settings.forgetAll.title")}
          words={t("settings.forgetAll.words")}
          label={t("settings.forgetAll.do")}
          onConfirm={() => forgetBrowser(client)}
          onClose={() => setForgetting(false)}
        />
      )}
    </>
  );
}
