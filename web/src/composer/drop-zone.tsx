/** Files that are dragged anywhere over the page can be dropped: it says so while they are there. */

import { FileUp } from "lucide";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n/language.ts";
import { Icon } from "../ui/icon.tsx";
import styles from "./composer.module.css";

export function DropZone({ onFiles }: { onFiles: (files: readonly File[]) => void }): JSX.Element | null {
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    let depth = 0; // of the elements that are entered and not left
    const hasFiles = ({ dataTransfer }: DragEvent): boolean => dataTransfer?.types.includes("Files") === true;
    const enter = (event: DragEvent): void => {
      if (hasFiles(event)) setOver(++depth > 0);
    };
    const leave = (event: DragEvent): void => {
      if (hasFiles(event)) setOver(--depth > 0);
    };
    const over = (event: DragEvent): void => {
      if (hasFiles(event)) event.preventDefault();
    };
    const drop = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault(); // else the browser would open it in place of this page
      depth = 0;
      setOver(false);
      onFiles([...(event.dataTransfer?.files ?? [])]);
    };
    window.addEventListener("dragenter", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("dragover", over);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragenter", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("dragover", over);
      window.removeEventListener("drop", drop);
    };
  }, [onFiles]);
  if (!isOver) return null;
  return (
    <div class={styles["drop"]}>
      <Icon of={FileUp} size={32} />
      <p>{t("composer.drop")}</p>
    </div>
  );
}
