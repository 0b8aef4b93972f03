/** The page as a whole: the chats at the side, and the screen that the address names. */

import { Compass } from "lucide";
import type { JSX } from "preact";
import { Approvals } from "../approvals/approvals.tsx";
import { Conversation } from "../conversation/conversation.tsx";
import { t } from "../i18n/language.ts";
import { Sidebar } from "../sidebar/sidebar.tsx";
import type { Client } from "../state/client.ts";
import { Boundary } from "../ui/boundary.tsx";
import { Empty } from "../ui/empty.tsx";
import { lazy } from "../ui/lazy.tsx";
import { Announcer } from "./announcer.tsx";
import { ClientContext, GatewayContext } from "./context.ts";
import { isSidebarAway, isSidebarHidden, isSidebarOpen } from "./layout.ts";
import { hashOf, route } from "./router.ts";
import { Toasts } from "./toasts.tsx";
import styles from "./app.module.css";

const Connect = lazy(async () => (await import("../connect/connect.tsx")).Connect);
const Settings = lazy(async () => (await import("../settings/settings.tsx")).Settings);
const Automation = lazy(async () => (await import("../automation/automation.tsx")).Automation);
const Notifications = lazy(async () => (await import("../notifications/notifications.tsx")).NotificationsScreen);
const CommandCentre = lazy(async () => (await import("../palette/palette.tsx")).CommandCentre);

export function App({ client, hasBadLink }: { client: Client; hasBadLink: boolean }): JSX.Element {
  const gateway = client.current.value;
  const shown = route.value;
  return (
    <ClientContext.Provider value={client}>
      {gateway === null ? (
        <main class={styles["alone"]} data-screen={shown.name === "settings" || undefined}>
          {shown.name === "settings" ? <Settings section={shown.section} /> : <Connect hasBadLink={hasBadLink} />}
        </main>
      ) : (
        <GatewayContext.Provider value={gateway} key={gateway.gateway.url}>
          <a class={styles["skip"]} href="#main" onClick={skip}>
            {t("shell.skip")}
          </a>
          <div
            class={styles["layout"]}
            data-sidebar-open={isSidebarOpen.value || undefined}
            data-sidebar-hidden={isSidebarHidden.value || undefined}
          >
            <div class={styles["sidebar"]} inert={isSidebarAway()}>
              <Sidebar />
            </div>
            <div class={styles["scrim"]} onClick={() => (isSidebarOpen.value = false)} />
            <main class={styles["main"]} id="main" tabIndex={-1}>
              <Approvals />
              <Boundary at={hashOf(shown)}>
                <Screen />
              </Boundary>
            </main>
          </div>
          <CommandCentre />
        </GatewayContext.Provider>
      )}
      <Toasts />
      <Announcer />
    </ClientContext.Provider>
  );
}

function Screen(): JSX.Element {
  const shown = route.value;
  switch (shown.name) {
    case "chat":
      return <Conversation key={shown.session} session={shown.session} />;
    case "automation":
      return <Automation tab={shown.tab} id={shown.id} />;
    case "notifications":
      return <Notifications />;
    case "settings":
      return <Settings section={shown.section} />;
    case "unknown":
      return (
        <Empty icon={Compass} title={t("shell.notFound")}>
          <a href={hashOf({ name: "chat", session: null })}>{t("shell.toChats")}</a>
        </Empty>
      );
  }
}

/** The address has no place for `#main`: it names the screen. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
