/** Asks before something is gone for good. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { sentenceOf } from "../app/toasts.tsx";
import { GatewayError } from "../gateway/errors.ts";
import { t } from "../i18n/language.ts";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import styles from "./confirm.module.css";

interface ConfirmGiven {
  readonly title: string;
  readonly words: string;
  readonly label: string;
  readonly onConfirm: () => Promise<void>;
  readonly onClose: () => void;
}

/** Stays open, and says why, if it cannot be done. */
export function Confirm({ title, words, label, onConfirm, onClose }: ConfirmGiven): JSX.Element {
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<GatewayError | null>(null);
  const confirm = async (): Promise<void> => {
    setBusy(true);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      setTrouble(error);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={title}
      size="small"
      onClose={onClose}
      actions={
        <>
          <Button tone="quiet" onClick={onClose}>
            {t("shell.cancel")}
          </Button>
          <Button tone="danger" isBusy={isBusy} onClick={() => void confirm()}>
            {label}
          </Button>
        </>
      }
    >
      <p>{words}</p>
      {trouble !== null && (
        <p class={styles["wrong"]} role="alert">
          {sentenceOf(trouble)}
        </p>
      )}
    </Dialog>
  );
}
