/** One webhook: where it is called, what was delivered to it, and what its runs came to. */

import { KeyRound, Pencil, Trash2 } from "lucide";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { dateTime, wholeMoment } from "../app/dates.ts";
import { go } from "../app/router.ts";
import type { Delivery, Run, Webhook } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { Confirm } from "../ui/confirm.tsx";
import { CopyField } from "../ui/copy-field.tsx";
import { Facts } from "./facts.tsx";
import { OneFrame } from "./frame.tsx";
import { FreshSecret } from "./fresh-secret.tsx";
import { gone } from "./gone.ts";
import { Loaded } from "./loaded.tsx";
import type { Loader } from "./loader.ts";
import { NewSecret } from "./new-secret.tsx";
import { RunList } from "./run-list.tsx";
import { isUnderWay } from "./run-status.tsx";
import { forgetFreshSecret } from "./secrets.ts";
import { useEditing } from "./use-editing.ts";
import { useLoaded } from "./use-loaded.ts";
import { WebhookForm, webhookFormName } from "./webhook-form.tsx";
import { WebhookTest } from "./webhook-test.tsx";
import { authWords, WebhookSwitch } from "./webhooks.tsx";
import { ChatName } from "./where.tsx";
import { whoWords } from "./who.tsx";
import styles from "./automation.module.css";

interface Found {
  readonly hook: Webhook;
  readonly deliveries: readonly Delivery[];
  readonly runs: readonly Run[];
}

export function WebhookPage({ id }: { id: string }): JSX.Element {
  const { gateway } = useGateway();
  const { webhooks } = gateway.api;
  const found = useLoaded(
    `webhook ${id}`,
    async (): Promise<Found> => {
      const [hook, deliveries, runs] = await Promise.all([
        webhooks.get(id),
        webhooks.deliveries(id, { limit: 20 }),
        webhooks.runs(id, { limit: 20 }),
      ]);
      return { hook, deliveries, runs };
    },
    ({ runs }) => runs.some(isUnderWay),
  );
  return (
    <OneFrame tab="webhooks" title={found.value.value?.hook.title ?? t("automation.webhook")}>
      <Loaded of={found}>{(value) => <OneWebhook found={value} loader={found} />}</Loaded>
    </OneFrame>
  );
}

function OneWebhook({ found, loader }: { found: Found; loader: Loader<Found> }): JSX.Element {
  const { gateway } = useGateway();
  const { hook, deliveries, runs } = found;
  const editing = useEditing(webhookFormName(hook));
  const show = (changed: Webhook): void => loader.set({ ...found, hook: changed });
  const address = `${gateway.url}${hook.path}`;
  if (editing.isOpen) {
    return (
      <WebhookForm
        hook={hook}
        onCancel={editing.close}
        onDone={(changed) => {
          show(changed);
          editing.close();
        }}
      />
    );
  }
  return (
    <>
      <FreshSecret hook={hook} address={address} />
      <div class={styles["top"]}>
        <WebhookSwitch hook={hook} onChanged={show} />
        <Actions hook={hook} onEdit={editing.open} />
      </div>
      <section class={styles["section"]}>
        <CopyField label={t("automation.address")} text={address} />
        <p class={styles["quiet"]}>{t("automation.addressHint")}</p>
      </section>
      <Facts
        of={[
          [t("automation.auth"), authWords(hook)],
          [t("automation.where"), <ChatName key="where" place={hook} />],
          [t("automation.who"), whoWords(hook)],
        ]}
      />
      <section class={styles["section"]}>
        <h2>{t("automation.template")}</h2>
        <pre class={styles["template"]} tabIndex={0} role="region" aria-label={t("automation.template")}>
          {hook.template}
        </pre>
      </section>
      <WebhookTest hook={hook} onDelivered={() => void loader.load()} />
      <section class={styles["section"]}>
        <h2>{t("automation.deliveries")}</h2>
        <Deliveries deliveries={deliveries} />
      </section>
      <section class={styles["section"]}>
        <h2>{t("automation.runs")}</h2>
        <RunList runs={runs} />
      </section>
    </>
  );
}

function Deliveries({ deliveries }: { deliveries: readonly Delivery[] }): JSX.Element {
  if (deliveries.length === 0) return <p class={styles["quiet"]}>{t("automation.noDeliveries")}</p>;
  return (
    <ul class={styles["list"]}>
      {deliveries.map((one) => (
        <li
          key={`${one.deliveryId} ${one.receivedAt}`}
          class={styles["delivery"]}
          data-refused={one.refusal !== null || undefined}
        >
          <p>
            <strong>{one.refusal === null ? t("automation.accepted") : t("automation.refused")}</strong>
            <time dateTime={new Date(one.receivedAt * 1000).toISOString()} title={wholeMoment(one.receivedAt)}>
              {dateTime(one.receivedAt)}
            </time>
            <code>{one.deliveryId}</code>
          </p>
          {one.refusal !== null && <p>{one.refusal}</p>}
        </li>
      ))}
    </ul>
  );
}

function Actions({ hook, onEdit }: { hook: Webhook; onEdit: () => void }): JSX.Element {
  const { gateway } = useGateway();
  const [asked, setAsked] = useState<"delete" | "secret" | null>(null);
  const close = (): void => setAsked(null);
  return (
    <div class={styles["actions"]}>
      <Button icon={Pencil} onClick={onEdit}>
        {t("automation.edit")}
      </Button>
      <Button icon={KeyRound} onClick={() => setAsked("secret")}>
        {t("automation.newSecret")}
      </Button>
      <Button tone="danger" icon={Trash2} onClick={() => setAsked("delete")}>
        {t("automation.delete")}
      </Button>
      {asked === "secret" && <NewSecret hook={hook} onClose={close} />}
      {asked === "delete" && (
        <Confirm
          title={t("automation.deleteWebhook")}
          words={t("automation.deleteWebhookWords", { title: hook.title })}
          label={t("automation.delete")}
          onClose={close}
          onConfirm={async () => {
            await gone(gateway.api.webhooks.remove(hook.id));
            forgetFreshSecret(gateway, hook.id);
            go({ name: "automation", tab: "webhooks", id: null }, { replace: true });
          }}
        />
      )}
    </div>
  );
}
