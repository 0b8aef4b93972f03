/** The first thing that is seen without a gateway: where its link goes, and which gateways this browser knows. */

import { Server, Trash2, TriangleAlert } from "lucide";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { isSecurePage } from "../app/capabilities.ts";
import { useClient } from "../app/context.ts";
import { hashOf } from "../app/router.ts";
import { useTitle } from "../app/title.ts";
import type { KnownGateway } from "../gateway/credentials.ts";
import { t, tOf } from "../i18n/language.ts";
import { ForgetGateway } from "../settings/forget-gateway.tsx";
import { IconButton } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Logo } from "../ui/logo.tsx";
import { Words } from "../ui/words.tsx";
import { LinkForm } from "./link-form.tsx";
import styles from "./connect.module.css";

export function Connect({ hasBadLink }: { hasBadLink: boolean }): JSX.Element {
  const client = useClient();
  const trouble = client.trouble.value;
  useTitle(t("connect.title"));
  return (
    <div class={styles["connect"]}>
      <header class={styles["head"]}>
        <Logo size={56} />
        <h1>{t("connect.title")}</h1>
        <p>{t("connect.lead")}</p>
      </header>
      {trouble !== null && (
        <p class={styles["trouble"]} role="alert">
          {tOf("error", trouble, "error.internal_error")}
        </p>
      )}
      <Known />
      <LinkForm hasBadLink={hasBadLink} />
      <section class={styles["how"]}>
        <h2>{t("connect.how")}</h2>
        <ul>
          <li>
            <Words of={t("connect.how.serve")} />
          </li>
          <li>
            <Words of={t("connect.how.link")} />
          </li>
          <li>{t("connect.how.secret")}</li>
        </ul>
      </section>
      {!isSecurePage && (
        <div class={styles["note"]}>
          <Icon of={TriangleAlert} />
          <p>
            <strong>{t("settings.standing.page")}:</strong> {t("settings.standing.page.plain")}{" "}
            <a href={hashOf({ name: "settings", section: "about" })}>{t("settings.secure")}</a>
          </p>
        </div>
      )}
      <p class={styles["more"]}>
        <a href={hashOf({ name: "settings", section: "appearance" })}>{t("settings.title")}</a>
      </p>
    </div>
  );
}

function Known(): JSX.Element | null {
  const client = useClient();
  const [leaving, setLeaving] = useState<KnownGateway | null>(null);
  const known = client.gateways.value;
  if (known.length === 0) return null;
  return (
    <section class={styles["known"]}>
      <h2>{t("connect.known")}</h2>
      <ul class={styles["list"]}>
        {known.map((one) => (
          <li key={one.url}>
            <button type="button" aria-label={t("connect.openThis", one)} onClick={() => void client.open(one.url)}>
              <Icon of={Server} />
              <span>
                <strong>{one.name}</strong>
                <small>{one.url}</small>
              </span>
            </button>
            <IconButton
              icon={Trash2}
              label={t("settings.gateway.forgetThis", one)}
              size={16}
              onClick={() => setLeaving(one)}
            />
          </li>
        ))}
      </ul>
      {leaving !== null && <ForgetGateway known={leaving} onClose={() => setLeaving(null)} />}
    </section>
  );
}
