/** A webhook as a form, for a new one and to change one. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import type { Webhook, WebhookWanted } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Select, TextArea, TextField } from "../ui/field.tsx";
import { FormFrame } from "./form-frame.tsx";
import { WEBHOOK_HINTS } from "./hints.ts";
import { keepFreshSecret } from "./secrets.ts";
import { useForm } from "./use-form.ts";
import { placeKey, placeOf } from "./place.ts";
import { WhereField } from "./where.tsx";
import { WhoFields } from "./who.tsx";
import styles from "./automation.module.css";

const AUTHS = ["bearer", "github", "stripe"] as const;

interface WebhookFormGiven {
  /** Null for a new one. */
  readonly hook: Webhook | null;
  readonly onDone: (hook: Webhook) => void;
  readonly onCancel: () => void;
}

const FRESH = { title: "", template: "", auth: "bearer", agent: "", provider: "", model: "", place: "" };
type WebhookFields = typeof FRESH;

export const webhookFormName = (hook: Webhook | null): string => `webhook:${hook?.id ?? "new"}`;

export function WebhookForm({ hook, onDone, onCancel }: WebhookFormGiven): JSX.Element {
  const { gateway } = useGateway();
  const initial = hook === null ? FRESH : fieldsOf(hook);
  const form = useForm({ name: webhookFormName(hook), initial, hints: WEBHOOK_HINTS });
  const [secret, setSecret] = useState(""); // not kept with the rest: drafts lie readable in the browser
  const { values, set, errorOf } = form;
  const save = async (): Promise<void> => {
    const wanted = wantedOf(values);
    if (hook !== null) {
      onDone(await gateway.api.webhooks.change(hook.id, wanted));
      return;
    }
    const auth = AUTHS.find((one) => one === values.auth) ?? "bearer";
    const made = await gateway.api.webhooks.create({ ...wanted, auth, ...(secret === "" ? {} : { secret }) });
    keepFreshSecret(gateway, made.id, made.secret);
    onDone(made);
  };
  return (
    <FormFrame
      form={form}
      label={hook === null ? t("automation.newWebhook") : t("automation.edit")}
      submitLabel={hook === null ? t("automation.createWebhook") : t("automation.save")}
      onSubmit={save}
      onCancel={onCancel}
    >
      <TextField
        label={t("automation.name")}
        value={values.title}
        onType={(title) => set({ title })}
        error={errorOf("title")}
        autocomplete="off"
      />
      <TextArea
        label={t("automation.template")}
        hint={t("automation.templateHint")}
        rows={5}
        value={values.template}
        onType={(template) => set({ template })}
        error={errorOf("template")}
        spellcheck={false}
      />
      <TemplateHelp />
      {hook === null && (
        <div class={styles["columns"]}>
          <Select
            label={t("automation.auth")}
            hint={t("automation.authHint")}
            value={values.auth}
            options={AUTHS.map((auth) => ({ value: auth, label: t(`automation.auth.${auth}`) }))}
            onChoose={(auth) => set({ auth })}
          />
          <TextField
            label={t("automation.ownSecret")}
            hint={t("automation.ownSecretHint")}
            type="password"
            autocomplete="off"
            value={secret}
            onType={setSecret}
            error={errorOf("secret")}
          />
        </div>
      )}
      <WhereField value={values.place} onChoose={(place) => set({ place })} error={errorOf("place")} />
      <WhoFields who={values} onChoose={set} errorOf={errorOf} />
    </FormFrame>
  );
}

function TemplateHelp(): JSX.Element {
  return (
    <details class={styles["help"]}>
      <summary>{t("automation.templateHelp")}</summary>
      <dl>
        {(["Value", "Whole", "Loop", "If"] as const).map((name) => (
          <div key={name}>
            <dt>
              <code>{EXAMPLES[name]}</code>
            </dt>
            <dd>{t(`automation.template${name}`)}</dd>
          </div>
        ))}
      </dl>
      <p>{t("automation.templateMore")}</p>
    </details>
  );
}

const EXAMPLES = {
  Value: "{{ repository.full_name }}",
  Whole: "{{ payload.hook }}, {{ hook.title }}",
  Loop: "{% for one in commits %}{{ one.message }}{% endfor %}",
  If: '{% if action == "opened" %}…{% endif %}',
};

const fieldsOf = (hook: Webhook): WebhookFields => ({
  ...{ title: hook.title, template: hook.template, auth: hook.auth, agent: hook.agent },
  ...{ provider: hook.provider ?? "", model: hook.model ?? "", place: placeKey(hook) },
});

function wantedOf({ title, template, agent, provider, model, place }: WebhookFields): WebhookWanted {
  return {
    ...{ title, template, mode: place === "" ? "task" : "chat", ...placeOf(place) },
    ...{ provider: provider || null, model: model || null },
    ...(agent === "" ? {} : { agent }),
  };
}
