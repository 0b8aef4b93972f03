/** One gateway that this browser knows: what is kept of it, and whether the page may talk to it. */

import { FingerprintPattern, FolderOpen, KeyRound, Pencil, Trash2 } from "lucide";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useClient } from "../app/context.ts";
import { go } from "../app/router.ts";
import { CopyField } from "../ui/copy-field.tsx";
import { blockedHosts } from "../connect/blocked.ts";
import type { KnownGateway } from "../gateway/credentials.ts";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { TextField } from "../ui/field.tsx";
import { Icon } from "../ui/icon.tsx";
import { Words } from "../ui/words.tsx";
import { ForgetGateway } from "./forget-gateway.tsx";
import { useIdentity } from "./use-identity.ts";
import styles from "./settings.module.css";

export function OneGateway({ known }: { known: KnownGateway }): JSX.Element {
  const client = useClient();
  const { url, name, isKept } = known;
  const [asks, setAsks] = useState<"name" | "forget" | null>(null);
  const identity = useIdentity(url);
  const isOpen = client.current.value?.gateway.url === url;
  const open = async (): Promise<void> => {
    await client.open(url);
    if (client.current.peek()?.gateway.url === url) go({ name: "chat", session: null });
  };
  const close = (): void => setAsks(null);
  return (
    <li class={styles["gateway"]}>
      <h2>
        {name} {isOpen && <span class={styles["badge"]}>{t("settings.gateway.current")}</span>}
      </h2>
      <p class={styles["address"]}>{url}</p>
      <ul class={styles["facts"]}>
        <li>
          <Icon of={KeyRound} size={16} />
          <span>{t(isKept ? "settings.gateway.tokenKept" : "settings.gateway.tokenInWindow")}</span>
        </li>
        <li>
          <Icon of={FingerprintPattern} size={16} />
          <span>
            {identity.state === "known" && (
              <>
                {t("settings.gateway.identity")} <code>{identity.key}</code>
              </>
            )}
            {identity.state === "unknown" && <Words of={t("settings.gateway.noIdentity")} />}
            {identity.state === "unreadable" && t("error.credentials_lost")}
          </span>
        </li>
      </ul>
      <Elsewhere url={url} />
      <div class={styles["actions"]}>
        {!isOpen && (
          <Button icon={FolderOpen} aria-label={t("connect.openThis", { name })} onClick={() => void open()}>
            {t("settings.gateway.open")}
          </Button>
        )}
        <Button icon={Pencil} aria-label={t("settings.gateway.renameThis", { name })} onClick={() => setAsks("name")}>
          {t("settings.gateway.rename")}
        </Button>
        <Button icon={Trash2} aria-label={t("settings.gateway.forgetThis", { name })} onClick={() => setAsks("forget")}>
          {t("settings.gateway.forget")}
        </Button>
      </div>
      {asks === "name" && <Rename known={known} onClose={close} />}
      {asks === "forget" && <ForgetGateway known={known} onClose={close} />}
    </li>
  );
}

/** The page comes from one gateway; the browser lets it talk to another one only where both say so. */
function Elsewhere({ url }: { url: string }): JSX.Element | null {
  const { origin, host } = new URL(url);
  if (origin === location.origin) return null;
  const isBlocked = blockedHosts.value.has(host);
  return (
    <details class={styles["elsewhere"]} open={isBlocked}>
      <summary>{isBlocked ? t("connect.blocked", { host }) : t("settings.gateway.elsewhere")}</summary>
      <p>{t("settings.gateway.elsewhereHint", { page: location.host })}</p>
      <CopyField
        label={t("settings.gateway.there", { host })}
        text={`sygen config set api.allowed_origins '["${location.origin}"]'`}
      />
      <CopyField
        label={t("settings.gateway.here", { host: location.host })}
        text={`sygen config set web.gateways '["${origin}"]'`}
      />
    </details>
  );
}

function Rename({ known, onClose }: { known: KnownGateway; onClose: () => void }): JSX.Element {
  const client = useClient();
  const [name, setName] = useState(known.name);
  const [isMissing, setMissing] = useState(false);
  const save = async (event: Event): Promise<void> => {
    event.preventDefault();
    const wanted = name.trim();
    if (wanted === "") setMissing(true);
    else {
      await client.rename(known.url, wanted);
      onClose();
    }
  };
  return (
    <Dialog title={t("settings.gateway.renameThis", known)} size="small" onClose={onClose}>
      <form class={styles["rename"]} onSubmit={(event) => void save(event)}>
        <TextField
          label={t("settings.gateway.name")}
          hint={t("settings.gateway.nameHint")}
          error={isMissing ? t("settings.gateway.noName") : null}
          value={name}
          onType={setName}
          autofocus
          autocomplete="off"
          maxLength={80}
        />
        <Button tone="primary" type="submit">
          {t("settings.gateway.save")}
        </Button>
      </form>
    </Dialog>
  );
}
