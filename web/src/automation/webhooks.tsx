/** Webhooks: the list, and the screen of a new one. */

import { Webhook as WebhookIcon } from "lucide";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { go, hashOf } from "../app/router.ts";
import { toastError } from "../app/toasts.tsx";
import type { Webhook } from "../gateway/shapes.ts";
import { t, tOf } from "../i18n/language.ts";
import { Empty } from "../ui/empty.tsx";
import { Switch } from "../ui/field.tsx";
import { ListFrame, OneFrame } from "./frame.tsx";
import { Loaded } from "./loaded.tsx";
import { onward } from "./onward.ts";
import { useLoaded } from "./use-loaded.ts";
import { WebhookForm } from "./webhook-form.tsx";
import { ChatName } from "./where.tsx";
import { whoWords } from "./who.tsx";
import styles from "./automation.module.css";

export function WebhookList(): JSX.Element {
  const { gateway } = useGateway();
  const hooks = useLoaded("webhooks", () => gateway.api.webhooks.list());
  return (
    <ListFrame tab="webhooks" hint={t("automation.webhooksHint")} newLabel={t("automation.newWebhook")}>
      <Loaded of={hooks}>
        {(found) =>
          found.length === 0 ? (
            <Empty icon={WebhookIcon} title={t("automation.noWebhooks")}>
              <p>{t("automation.noWebhooksHint")}</p>
            </Empty>
          ) : (
            <ul class={styles["list"]}>
              {found.map((hook) => (
                <li key={hook.id} class={styles["item"]}>
                  <div class={styles["about"]}>
                    <a class={styles["name"]} href={hashOf({ name: "automation", tab: "webhooks", id: hook.id })}>
                      {hook.title}
                    </a>
                    <p class={styles["facts"]}>
                      <span>{authWords(hook)}</span>
                      <span>{whoWords(hook)}</span>
                      <span>
                        <ChatName place={hook} />
                      </span>
                    </p>
                  </div>
                  <WebhookSwitch
                    hook={hook}
                    onChanged={(changed) => hooks.set(found.map((one) => (one.id === changed.id ? changed : one)))}
                  />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </ListFrame>
  );
}

export const authWords = ({ auth }: Webhook): string => tOf("automation.auth", auth, "automation.auth.other");

export function WebhookSwitch({ hook, onChanged }: { hook: Webhook; onChanged: (hook: Webhook) => void }): JSX.Element {
  const { gateway } = useGateway();
  const [isBusy, setBusy] = useState(false);
  const change = async (enabled: boolean): Promise<void> => {
    setBusy(true);
    try {
      onChanged(await gateway.api.webhooks.change(hook.id, { enabled }));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div role="group" aria-label={hook.title}>
      <Switch
        label={t("automation.active")}
        isOn={hook.enabled}
        disabled={isBusy}
        onSwitch={(enabled) => void change(enabled).catch(toastError)}
      />
    </div>
  );
}

export function NewWebhook(): JSX.Element {
  const [goOn] = useState(onward);
  return (
    <OneFrame tab="webhooks" title={t("automation.newWebhook")}>
      <WebhookForm
        hook={null}
        onDone={({ id }) => goOn({ name: "automation", tab: "webhooks", id }, { replace: true })}
        onCancel={() => go({ name: "automation", tab: "webhooks", id: null }, { replace: true })}
      />
    </OneFrame>
  );
}
