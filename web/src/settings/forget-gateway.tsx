/** Asks before a gateway is forgotten, and says what that means. */

import type { JSX } from "preact";
import { useClient } from "../app/context.ts";
import { toast } from "../app/toasts.tsx";
import { Confirm } from "../ui/confirm.tsx";
import type { KnownGateway } from "../gateway/credentials.ts";
import { t } from "../i18n/language.ts";
import { forgetGateway } from "./forgetting.ts";

export function ForgetGateway({ known, onClose }: { known: KnownGateway; onClose: () => void }): JSX.Element {
  const client = useClient();
  const { name } = known;
  return (
    <Confirm
      title={t("settings.gateway.forgetTitle", { name })}
      words={t("settings.gateway.forgetWords")}
      label={t("settings.gateway.forget")}
      onConfirm={async () => {
        await forgetGateway(client, known.url);
        toast({ text: t("settings.gateway.forgotten", { name }) });
      }}
      onClose={onClose}
    />
  );
}
