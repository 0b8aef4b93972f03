/** A file would travel readable for others: what that means, and the way on for those who know better. */

import { ShieldAlert } from "lucide";
import type { JSX } from "preact";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import styles from "./files.module.css";

export function PrivateWay({ onAllow }: { onAllow: () => void }): JSX.Element {
  return (
    <div class={styles["private"]} role="alert">
      <Icon of={ShieldAlert} />
      <p>{t("files.notPrivate")}</p>
      <Button onClick={onAllow}>{t("files.allowPlain")}</Button>
    </div>
  );
}
