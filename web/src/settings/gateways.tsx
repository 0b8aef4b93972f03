/** The gateways that this browser knows: names, how their tokens are kept, and a way to forget them. */

import { FolderOpen, Pencil, Trash2 } from "lucide";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { lackOf } from "../app/capabilities.ts";
import { CapabilityNote } from "../app/capability-note.tsx";
import { useClient } from "../app/context.ts";
import { go } from "../app/router.ts";
import { LinkForm } from "../connect/link-form.tsx";
import type { KnownGateway } from "../gateway/credentials.ts";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { TextField } from "../ui/field.tsx";
import { forgetBrowser } from "./forgetting.ts";
import styles from "./settings.module.css";

export function Gateways(): JSX.Element {
  const client = useClient();
  const lack = lackOf("encryptedToken");
  const [forgetting, setForgetting] = useState<KnownGateway | "all" | null>(null);
  const forget = async (): Promise<void> => {
    if (forgetting === "all") await forgetBrowser(client);
    else if (forgetting !== null) await client.forget(forgetting.url);
    setForgetting(null);
  };
  return (
    <>
      <ul class={styles["gateways"]}>
        {client.gateways.value.map((known) => (
          <One key={known.url} known={known} onForget={() => setForgetting(known)} />
        ))}
      </ul>
      {lack !== null && <CapabilityNote feature="encryptedToken" lack={lack} />}
      <section class={styles["part"]}>
        <h2>{t("settings.addGateway")}</h2>
        <LinkForm />
        <details class={styles["details"]}>
          <summary>{t("settings.unreachable")}</summary>
          <p>{t("settings.unreachableThere")}</p>
          <pre tabIndex={0}>
            <code>{`sygen config set api.allowed_origins '["${location.origin}"]'`}</code>
          </pre>
          <p>{t("settings.unreachableHere")}</p>
          <pre tabIndex={0}>
            <code>{`sygen config set web.gateways '["https://other.example:8741"]'`}</code>
          </pre>
        </details>
      </section>
      <section class={styles["part"]}>
        <h2>{t("settings.forgetAll")}</h2>
        <p>{t("settings.forgetAllHint")}</p>
        <Button tone="danger" icon={Trash2} onClick={() => setForgetting("all")}>
          {t("settings.forgetAll")}
        </Button>
      </section>
      {forgetting !== null && (
        <Dialog
          title={forgetting === "all" ? t("settings.forgetAll") : t("settings.forgetOf", { name: forgetting.name })}
          size="small"
          onClose={() => setForgetting(null)}
          actions={
            <>
              <Button onClick={() => setForgetting(null)}>{t("settings.keep")}</Button>
              <Button tone="danger" onClick={() => void forget()}>
                {t("settings.forget")}
              </Button>
            </>
          }
        >
          <p>{t(forgetting === "all" ? "settings.forgetAllHint" : "settings.forgetHint")}</p>
        </Dialog>
      )}
    </>
  );
}

function One({ known, onForget }: { known: KnownGateway; onForget: () => void }): JSX.Element {
  const client = useClient();
  const { url, name, isKept } = known;
  const [isRenaming, setRenaming] = useState(false);
  const [wanted, setWanted] = useState(name);
  const [identity, setIdentity] = useState<string | null>(null);
  const isOpen = client.current.value?.gateway.url === url;
  useEffect(() => void client.identityOf(url).then(setIdentity), [client, url]);
  const rename = async (event: Event): Promise<void> => {
    event.preventDefault();
    setRenaming(false);
    if (wanted.trim() !== "") await client.rename(url, wanted.trim());
  };
  return (
    <li class={styles["gateway"]}>
      <div>
        {isRenaming ? (
          <form onSubmit={(event) => void rename(event)} class={styles["rename"]}>
            <TextField
              label={t("settings.name")}
              isLabelHidden
              value={wanted}
              onType={setWanted}
              autofocus
              maxLength={80}
            />
            <Button type="submit">{t("settings.save")}</Button>
          </form>
        ) : (
          <h2>
            {name} {isOpen && <small>{t("settings.isOpen")}</small>}
          </h2>
        )}
        <p>{url}</p>
        <p>{t(isKept ? "settings.tokenKept" : "settings.tokenInWindow")}</p>
        <p>
          {identity === null ? (
            t("settings.noIdentity")
          ) : (
            <>
              {t("settings.identity")} <code>{identity}</code>
            </>
          )}
        </p>
      </div>
      <div class={styles["actions"]}>
        {!isOpen && (
          <Button
            icon={FolderOpen}
            onClick={() => void client.open(url).then(() => go({ name: "chat", session: null }))}
            aria-label={t("settings.openOf", { name })}
          >
            {t("settings.open")}
          </Button>
        )}
        <Button icon={Pencil} onClick={() => setRenaming(!isRenaming)} aria-label={t("settings.renameOf", { name })}>
          {t("settings.rename")}
        </Button>
        <Button tone="danger" icon={Trash2} onClick={onForget} aria-label={t("settings.forgetOf", { name })}>
          {t("settings.forget")}
        </Button>
      </div>
    </li>
  );
}
