/** The secret of a webhook, the only time it can be seen, and what to do with it. */

import type { JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import type { Webhook } from "../gateway/shapes.ts";
import { t, tOf } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { CopyField } from "../ui/copy-field.tsx";
import { curlOf } from "./curl.ts";
import { forgetFreshSecret, freshSecretOf } from "./secrets.ts";
import styles from "./automation.module.css";

export function FreshSecret({ hook, address }: { hook: Webhook; address: string }): JSX.Element | null {
  const { gateway } = useGateway();
  const secret = freshSecretOf(gateway, hook.id);
  const title = useRef<HTMLHeadingElement>(null);
  const id = useId();
  useEffect(() => title.current?.focus(), [secret]);
  if (secret === null) return null;
  const curl = curlOf(hook, address, secret);
  return (
    <section class={styles["fresh"]} aria-labelledby={id}>
      <h2 id={id} ref={title} tabIndex={-1}>
        {t("automation.secretTitle")}
      </h2>
      <p>{t("automation.secretOnce")}</p>
      <CopyField label={t("automation.address")} text={address} />
      <CopyField label={t("automation.secret")} text={secret} />
      {curl !== null && <CopyField label={t("automation.curl")} text={curl} />}
      <p class={styles["quiet"]}>{tOf("automation.advice", hook.auth, "automation.advice.bearer")}</p>
      <p>
        <Button tone="primary" onClick={() => forgetFreshSecret(gateway, hook.id)}>
          {t("automation.secretKept")}
        </Button>
      </p>
    </section>
  );
}
