/** Has the gateway deliver something to a webhook, signed as its sender would. */

import { FlaskConical } from "lucide";
import type { JSX } from "preact";
import { useGateway } from "../app/context.ts";
import { toast } from "../app/toasts.tsx";
import { GatewayError } from "../gateway/errors.ts";
import type { Webhook } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { isFields, type Json } from "../protocol/json.ts";
import { Button } from "../ui/button.tsx";
import { TextArea } from "../ui/field.tsx";
import { sampleOf } from "./curl.ts";
import { useForm } from "./use-form.ts";
import styles from "./automation.module.css";

const HINTS = [["payload", /payload|template|JSON/i]] as const;

export function WebhookTest({ hook, onDelivered }: { hook: Webhook; onDelivered: () => void }): JSX.Element {
  const { gateway } = useGateway();
  const form = useForm({
    name: `webhook-test:${hook.id}`,
    initial: { payload: sampleOf(hook.auth) },
    hints: HINTS,
    staysAfterwards: true,
  });
  const deliver = async (): Promise<void> => {
    await gateway.api.webhooks.test(hook.id, payloadOf(form.values.payload));
    toast({ text: t("automation.delivered") });
    onDelivered();
  };
  return (
    <details class={styles["help"]} open={form.isChanged || form.wrong !== null || undefined}>
      <summary>{t("automation.test")}</summary>
      <form
        class={styles["form"]}
        aria-label={t("automation.test")}
        onSubmit={(event) => {
          event.preventDefault();
          form.submit(deliver);
        }}
      >
        <TextArea
          label={t("automation.payload")}
          hint={t("automation.payloadHint")}
          rows={6}
          value={form.values.payload}
          onType={(payload) => form.set({ payload })}
          error={form.wrong?.sentence ?? null}
          spellcheck={false}
        />
        <footer class={styles["buttons"]}>
          <Button type="submit" icon={FlaskConical} isBusy={form.isSending} disabled={!hook.enabled}>
            {t("automation.deliver")}
          </Button>
          {form.isChanged && (
            <Button tone="quiet" onClick={form.discard}>
              {t("automation.sampleAgain")}
            </Button>
          )}
          {!hook.enabled && <p class={styles["quiet"]}>{t("automation.testOff")}</p>}
        </footer>
      </form>
    </details>
  );
}

/** Throws GatewayError for what is no JSON object. */
function payloadOf(text: string): Record<string, Json> {
  try {
    const found: unknown = JSON.parse(text);
    if (isFields(found)) return found as Record<string, Json>;
  } catch {
    // said below
  }
  throw new GatewayError("bad_request", t("automation.payloadWrong"));
}
