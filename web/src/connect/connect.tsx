/** The first thing that is seen without a gateway: where its link goes, and which gateways this browser knows. */

import { Server } from "lucide";
import type { JSX } from "preact";
import { isSecurePage } from "../app/capabilities.ts";
import { useClient } from "../app/context.ts";
import { hashOf } from "../app/router.ts";
import { useTitle } from "../app/title.ts";
import { t, tOf } from "../i18n/language.ts";
import { Icon } from "../ui/icon.tsx";
import { Logo } from "../ui/logo.tsx";
import { LinkForm } from "./link-form.tsx";
import styles from "./connect.module.css";

/** `hasBadLink`: the page was opened by a link that is none. */
export function Connect({ hasBadLink }: { hasBadLink: boolean }): JSX.Element {
  const client = useClient();
  const known = client.gateways.value;
  const trouble = client.trouble.value;
  useTitle(t("connect.title"));
  return (
    <div class={styles["connect"]}>
      <header class={styles["head"]}>
        <Logo size={56} />
        <h1>{t("connect.title")}</h1>
        <p>{t("connect.what")}</p>
      </header>
      {trouble !== null && (
        <p class={styles["trouble"]} role="alert">
          {tOf("error", trouble, "error.internal_error")}
        </p>
      )}
      <LinkForm isBad={hasBadLink} />
      {known.length > 0 && (
        <section>
          <h2>{t("connect.known")}</h2>
          <ul class={styles["known"]}>
            {known.map(({ url, name }) => (
              <li key={url}>
                <button type="button" onClick={() => void client.open(url)}>
                  <Icon of={Server} />
                  <span>
                    <strong>{name}</strong>
                    <small>{url}</small>
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      {!isSecurePage && <p class={styles["note"]}>{t("connect.insecure")}</p>}
      <p class={styles["more"]}>
        <a href={hashOf({ name: "settings", section: "appearance" })}>{t("sidebar.settings")}</a>
      </p>
    </div>
  );
}
