/** Where the page stands, for people: what is protected, what is not, and how to get a secure page. */

import { CircleCheck, Info, TriangleAlert } from "lucide";
import type { JSX } from "preact";
import { isSecurePage } from "../app/capabilities.ts";
import { useClient } from "../app/context.ts";
import { CopyField } from "../ui/copy-field.tsx";
import { t } from "../i18n/language.ts";
import { Icon } from "../ui/icon.tsx";
import { Words } from "../ui/words.tsx";
import { findings } from "./standing.ts";
import { useIdentity } from "./use-identity.ts";
import styles from "./settings.module.css";

const SIGNS = { good: CircleCheck, note: Info, warning: TriangleAlert } as const;
const DEFAULT_PORT = "8741";

export function StandingPanel(): JSX.Element {
  const client = useClient();
  const url = client.current.value?.gateway.url ?? null;
  const identity = useIdentity(url);
  const known = client.gateways.value.find((one) => one.url === url);
  const found = findings({
    page: location.href,
    gateway:
      url === null || identity.state === "reading"
        ? null
        : { url, isIdentityKnown: identity.state === "known", isTokenKept: known?.isKept ?? false },
    hasDatabase: client.canKeepDrafts,
  });
  const port = location.port === "" ? DEFAULT_PORT : location.port;
  return (
    <section class={styles["part"]}>
      <h2>{t("settings.standing")}</h2>
      <ul class={styles["standing"]}>
        {found.map(({ topic, key, tone }) => (
          <li key={topic} data-tone={tone}>
            <Icon of={SIGNS[tone]} />
            <div>
              <p class={styles["topic"]}>
                <span class="visually-hidden">{t(`settings.standing.${tone}`)} </span>
                {t(`settings.standing.${topic}`)}
              </p>
              <p>
                <Words of={t(`settings.standing.${key}`)} />
              </p>
            </div>
          </li>
        ))}
      </ul>
      {!isSecurePage && (
        <div class={styles["secure"]}>
          <h3>{t("settings.secure")}</h3>
          <CopyField label={t("settings.secure.tailscale")} text={`tailscale serve ${port}`} />
          <CopyField
            label={t("settings.secure.tls")}
            text={`sygen serve --host 0.0.0.0 --port ${port} --tls-cert cert.pem --tls-key key.pem`}
          />
        </div>
      )}
    </section>
  );
}
