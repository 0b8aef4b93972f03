/** A screen beside the chats: its header with the way to them, and what is under it, which scrolls. */

import { Menu } from "lucide";
import type { ComponentChildren, JSX } from "preact";
import { useContext } from "preact/hooks";
import { GatewayContext } from "../app/context.ts";
import { isSidebarAway, toggleSidebar } from "../app/layout.ts";
import { useTitle } from "../app/title.ts";
import { t } from "../i18n/language.ts";
import { IconButton } from "./button.tsx";
import styles from "./screen.module.css";

interface ScreenGiven {
  readonly title: string;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Screen({ title, actions, children }: ScreenGiven): JSX.Element {
  useTitle(title);
  return (
    <>
      <header class={styles["head"]}>
        <SidebarButton />
        <h1>{title}</h1>
        {actions}
      </header>
      <div class={styles["body"]}>
        <div class={styles["column"]}>{children}</div>
      </div>
    </>
  );
}

/** Only where there are chats that cannot be seen. */
export function SidebarButton(): JSX.Element | null {
  const gateway = useContext(GatewayContext);
  if (gateway === null || !isSidebarAway()) return null;
  return <IconButton icon={Menu} label={t("shell.openSidebar")} onClick={toggleSidebar} />;
}
