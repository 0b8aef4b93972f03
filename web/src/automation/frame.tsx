/** Around what automation shows: its three parts to choose from, or the way back from one thing to all of its kind. */

import { ArrowLeft, Plus } from "lucide";
import type { ComponentChildren, JSX } from "preact";
import { AUTOMATION_TABS, hashOf, type AutomationTab } from "../app/router.ts";
import { t } from "../i18n/language.ts";
import { Icon } from "../ui/icon.tsx";
import { Screen } from "../ui/screen.tsx";
import styles from "./automation.module.css";

interface ListFrameGiven {
  readonly tab: AutomationTab;
  readonly hint: string;
  readonly newLabel: string;
  readonly children: ComponentChildren;
}

export function ListFrame({ tab, hint, newLabel, children }: ListFrameGiven): JSX.Element {
  return (
    <Screen title={t("automation.title")}>
      <nav class={styles["tabs"]} aria-label={t("automation.title")}>
        {AUTOMATION_TABS.map((one) => (
          <a
            key={one}
            href={hashOf({ name: "automation", tab: one, id: null })}
            aria-current={one === tab ? "page" : undefined}
          >
            {t(`automation.${one}`)}
          </a>
        ))}
      </nav>
      <div class={styles["intro"]}>
        <p>{hint}</p>
        <a class={styles["new"]} href={hashOf({ name: "automation", tab, id: "new" })}>
          <Icon of={Plus} />
          {newLabel}
        </a>
      </div>
      {children}
    </Screen>
  );
}

interface OneFrameGiven {
  readonly tab: AutomationTab;
  readonly title: string;
  readonly children: ComponentChildren;
}

export function OneFrame({ tab, title, children }: OneFrameGiven): JSX.Element {
  return (
    <Screen title={title}>
      <p class={styles["back"]}>
        <a href={hashOf({ name: "automation", tab, id: null })}>
          <Icon of={ArrowLeft} size={16} />
          {t(`automation.${tab}`)}
        </a>
      </p>
      {children}
    </Screen>
  );
}
