/** A picture as large as the window, or in its own size. */

import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { t } from "../i18n/language.ts";
import { Dialog } from "../ui/dialog.tsx";
import styles from "./files.module.css";

interface LightboxGiven {
  readonly address: string;
  readonly name: string;
  readonly onClose: () => void;
}

export function Lightbox({ address, name, onClose }: LightboxGiven): JSX.Element {
  const [isWhole, setWhole] = useState(true);
  return (
    <Dialog title={name} size="large" onClose={onClose}>
      <button
        type="button"
        class={styles["large"]}
        data-whole={isWhole || undefined}
        aria-label={t(isWhole ? "files.zoomIn" : "files.zoomOut")}
        onClick={() => setWhole(!isWhole)}
      >
        <img src={address} alt={t("files.picture", { name })} />
      </button>
    </Dialog>
  );
}
