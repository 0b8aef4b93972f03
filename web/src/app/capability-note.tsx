/** Why something is not there on this page, and how to get it. */

import { Info } from "lucide";
import type { JSX } from "preact";
import { t } from "../i18n/language.ts";
import { Icon } from "../ui/icon.tsx";
import { Words } from "../ui/words.tsx";
import type { lackOf, Lack } from "./capabilities.ts";
import { hashOf } from "./router.ts";
import styles from "./capability-note.module.css";

interface CapabilityNoteGiven {
  readonly feature: Parameters<typeof lackOf>[0];
  readonly lack: Lack;
}

export function CapabilityNote({ feature, lack }: CapabilityNoteGiven): JSX.Element {
  return (
    <div class={styles["note"]}>
      <Icon of={Info} size={16} />
      <p>
        <Words of={t(`settings.lack.${feature}.${lack}`)} />{" "}
        {lack === "insecure_page" && (
          <a href={hashOf({ name: "settings", section: "about" })}>{t("settings.lack.more")}</a>
        )}
      </p>
    </div>
  );
}
