/** Something to be taken elsewhere, to the letter. */

import { Check, Copy } from "lucide";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { announce } from "../app/announcer.tsx";
import { toast } from "../app/toasts.tsx";
import { t } from "../i18n/language.ts";
import { Button } from "./button.tsx";
import { copyText } from "./clipboard.ts";
import styles from "./copy-field.module.css";

const SHOWN_MS = 2_000;

export function CopyField({ label, text }: { label: string; text: string }): JSX.Element {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async (): Promise<void> => {
    const isDone = await copyText(text);
    setCopied(isDone);
    if (isDone) announce(t("shell.copied"));
    else toast({ text: t("shell.notCopied"), tone: "danger" });
  };
  return (
    <div class={styles["copyField"]}>
      <p class={styles["copyLabel"]}>{label}</p>
      <div class={styles["copyRow"]}>
        <pre tabIndex={0} role="region" aria-label={label}>
          {text}
        </pre>
        <Button
          icon={isCopied ? Check : Copy}
          aria-label={t("shell.copyThis", { what: label })}
          onClick={() => void copy()}
        >
          {isCopied ? t("shell.copied") : t("shell.copy")}
        </Button>
      </div>
    </div>
  );
}
