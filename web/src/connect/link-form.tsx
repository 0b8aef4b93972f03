/** Where the link of a gateway goes. What is wrong with it stands below it, and what was typed stays. */

import { ClipboardPaste, PlugZap } from "lucide";
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { useClient } from "../app/context.ts";
import { go } from "../app/router.ts";
import { t } from "../i18n/language.ts";
import { Button, IconButton } from "../ui/button.tsx";
import { TextField } from "../ui/field.tsx";
import { Words } from "../ui/words.tsx";
import { readTyped } from "./reading.ts";
import styles from "./connect.module.css";

type Trouble = "link" | "token" | "paste";

interface LinkFormGiven {
  /** The page was opened by a link that is none. */
  readonly hasBadLink?: boolean;
}

export function LinkForm({ hasBadLink = false }: LinkFormGiven): JSX.Element {
  const client = useClient();
  const [link, setLink] = useState("");
  const [token, setToken] = useState("");
  const [trouble, setTrouble] = useState<Trouble | null>(hasBadLink ? "link" : null);
  const linkField = useRef<HTMLInputElement>(null);
  const tokenField = useRef<HTMLInputElement>(null);
  const read = (beside: string): ReturnType<typeof readTyped> => readTyped(link, beside, location.protocol);
  const needsToken = read("").kind === "address";

  const connect = async (event: Event): Promise<void> => {
    event.preventDefault();
    const reading = read(token);
    if (reading.kind === "link") {
      await client.add(reading.link);
      go({ name: "chat", session: null });
      return;
    }
    setTrouble(reading.kind === "address" ? "token" : "link");
    (reading.kind === "address" ? tokenField : linkField).current?.focus();
  };
  const paste = async (): Promise<void> => {
    try {
      setLink((await navigator.clipboard.readText()).trim());
      setTrouble(null);
    } catch {
      setTrouble("paste");
    }
    linkField.current?.focus();
  };
  return (
    <form class={styles["form"]} onSubmit={(event) => void connect(event)} noValidate>
      <div class={styles["linkRow"]}>
        <TextField
          label={t("connect.link")}
          hint={<Words of={t("connect.linkHint")} />}
          error={trouble === "link" ? t("error.bad_link") : trouble === "paste" ? t("connect.pasteRefused") : null}
          value={link}
          onType={(typed) => {
            setLink(typed);
            setTrouble(null);
          }}
          fieldRef={linkField}
          inputMode="url"
          autocomplete="off"
          spellcheck={false}
          placeholder="http://host:8741/#token=…"
        />
        {canPaste && <IconButton icon={ClipboardPaste} label={t("connect.paste")} onClick={() => void paste()} />}
      </div>
      {needsToken && (
        <TextField
          label={t("connect.token")}
          hint={<Words of={t("connect.tokenHint")} />}
          error={trouble === "token" ? t("connect.noToken") : null}
          value={token}
          onType={(typed) => {
            setToken(typed);
            setTrouble(null);
          }}
          fieldRef={tokenField}
          type="password"
          autocomplete="off"
        />
      )}
      <Button tone="primary" type="submit" icon={PlugZap}>
        {t("connect.do")}
      </Button>
    </form>
  );
}

/** Not on pages over plain HTTP, and not in every browser. */
const canPaste = typeof (navigator as { readonly clipboard?: Partial<Clipboard> }).clipboard?.readText === "function";
