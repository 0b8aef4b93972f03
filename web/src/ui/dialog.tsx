/** A modal dialog: the browser's own, which keeps the focus inside, gives it back, and closes on Escape. */

import { X } from "lucide";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../i18n/language.ts";
import { IconButton } from "./button.tsx";
import styles from "./dialog.module.css";

interface DialogGiven {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  /** Buttons at the end. */
  readonly actions?: ComponentChildren;
  readonly size?: "small" | "medium" | "large";
}

/** It is open as long as it is drawn. */
export function Dialog({ title, onClose, children, actions, size = "medium" }: DialogGiven): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      class={`${styles["dialog"]} ${styles[size]}`}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === ref.current) onClose(); // beside it
      }}
    >
      <div class={styles["inside"]}>
        <header class={styles["head"]}>
          <h2 id={titleId}>{title}</h2>
          <IconButton icon={X} label={t("shell.close")} onClick={onClose} />
        </header>
        <div class={styles["body"]}>{children}</div>
        {actions !== undefined && <footer class={styles["actions"]}>{actions}</footer>}
      </div>
    </dialog>
  );
}
