/** Where the link of a gateway goes. What is wrong with it stands below it, and what was typed stays. */

import { PlugZap } from "lucide";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useClient } from "../app/context.ts";
import { go } from "../app/router.ts";
import { GatewayError } from "../gateway/errors.ts";
import { parseLink } from "../gateway/link.ts";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { TextField } from "../ui/field.tsx";
import styles from "./connect.module.css";

export function LinkForm({ isBad: wasBad = false }: { isBad?: boolean }): JSX.Element {
  const client = useClient();
  const [link, setLink] = useState("");
  const [token, setToken] = useState("");
  const [isBad, setBad] = useState(wasBad);
  const needsToken = /^\s*(?:https?|wss?):\/\/[^#]+$/.test(link) && !link.includes("token=");
  const connect = async (event: Event): Promise<void> => {
    event.preventDefault();
    try {
      await client.add(parseLink(link, needsToken ? token : undefined));
      go({ name: "chat", session: null });
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      setBad(true);
    }
  };
  return (
    <form class={styles["form"]} onSubmit={(event) => void connect(event)}>
      <TextField
        label={t("connect.link")}
        hint={t("connect.linkHint")}
        error={isBad ? t("error.bad_link") : null}
        value={link}
        onType={(typed) => {
          setLink(typed);
          setBad(false);
        }}
        type="url"
        autocomplete="off"
        spellcheck={false}
        placeholder="http://127.0.0.1:8741/#token=…"
      />
      {needsToken && (
        <TextField
          label={t("connect.token")}
          hint={t("connect.tokenHint")}
          value={token}
          onType={setToken}
          type="password"
          autocomplete="off"
        />
      )}
      <Button tone="primary" type="submit" icon={PlugZap} disabled={link.trim() === ""}>
        {t("connect.connect")}
      </Button>
    </form>
  );
}
