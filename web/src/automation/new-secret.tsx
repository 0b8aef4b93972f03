/** Another secret for a webhook: a new one of the gateway's, or one that the sender has made. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { sentenceOf } from "../app/toasts.tsx";
import { GatewayError } from "../gateway/errors.ts";
import type { Webhook } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { TextField } from "../ui/field.tsx";
import { keepFreshSecret } from "./secrets.ts";

export function NewSecret({ hook, onClose }: { hook: Webhook; onClose: () => void }): JSX.Element {
  const { gateway } = useGateway();
  const [own, setOwn] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<GatewayError | null>(null);
  const replace = async (): Promise<void> => {
    setBusy(true);
    try {
      const secret = await gateway.api.webhooks.newSecret(hook.id, own === "" ? undefined : own);
      onClose();
      keepFreshSecret(gateway, hook.id, secret);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      setTrouble(error);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={t("automation.newSecret")}
      size="small"
      onClose={onClose}
      actions={
        <>
          <Button tone="quiet" onClick={onClose}>
            {t("shell.cancel")}
          </Button>
          <Button tone="danger" isBusy={isBusy} onClick={() => void replace()}>
            {t("automation.replaceSecret")}
          </Button>
        </>
      }
    >
      <p>{t("automation.newSecretWords")}</p>
      <TextField
        label={t("automation.ownSecret")}
        hint={t("automation.ownSecretHint")}
        type="password"
        autocomplete="off"
        value={own}
        onType={setOwn}
        error={trouble === null ? null : (trouble.detail ?? sentenceOf(trouble))}
      />
    </Dialog>
  );
}
