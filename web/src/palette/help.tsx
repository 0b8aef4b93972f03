/** All shortcuts of what is on the screen. */

import type { JSX } from "preact";
import { commands, keysForPeople } from "../app/commands.ts";
import { sendKey } from "../app/preferences.ts";
import { t } from "../i18n/language.ts";
import { Dialog } from "../ui/dialog.tsx";
import styles from "./palette.module.css";

export function Help({ onClose }: { onClose: () => void }): JSX.Element {
  const everywhere = commands.value
    .flat()
    .flatMap(({ title, keys }) => (keys === undefined ? [] : [{ title, keys: keysForPeople(keys) }]));
  const isEnter = sendKey.value === "enter";
  const composer = [
    { title: t("palette.send"), keys: keysForPeople(isEnter ? "enter" : "mod+enter") },
    { title: t("palette.newLine"), keys: keysForPeople(isEnter ? "shift+enter" : "enter") },
    { title: t("palette.stop"), keys: keysForPeople("escape") },
    { title: t("palette.editLast"), keys: keysForPeople("arrowup") },
  ];
  const approvals = [
    { title: t("approval.allow_once"), keys: "Y" },
    { title: t("approval.allow_always"), keys: "A" },
    { title: t("approval.deny"), keys: "N" },
  ];
  return (
    <Dialog title={t("palette.shortcuts")} onClose={onClose} size="large">
      <div class={styles["sheet"]} tabIndex={0} role="group" aria-label={t("palette.shortcuts")}>
        <Keys title={t("palette.everywhere")} entries={everywhere} />
        <Keys title={t("palette.inComposer")} entries={composer} />
        <Keys title={t("palette.onApproval")} entries={approvals} />
      </div>
    </Dialog>
  );
}

function Keys({ title, entries }: { title: string; entries: readonly { title: string; keys: string }[] }): JSX.Element {
  return (
    <section>
      <h3>{title}</h3>
      <dl class={styles["keys"]}>
        {entries.map((entry) => (
          <div key={entry.title}>
            <dt>{entry.title}</dt>
            <dd>
              <kbd>{entry.keys}</kbd>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
