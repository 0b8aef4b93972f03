/** The chats, and the ways to everything else. */

import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { Archive, Command as CommandIcon, MessageSquarePlus, PanelLeftClose, Search, Settings, X, Zap } from "lucide";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { useCommands, type Command } from "../app/commands.ts";
import { useGateway } from "../app/context.ts";
import { isSidebarOpen, toggleSidebar } from "../app/layout.ts";
import { go, hashOf, route, type Route } from "../app/router.ts";
import { toastError } from "../app/toasts.tsx";
import { monthName } from "../app/dates.ts";
import { t } from "../i18n/language.ts";
import { Bell } from "../notifications/bell.tsx";
import { isPaletteOpen } from "../palette/open.ts";
import type { GatewayState } from "../state/gateway.ts";
import { IconButton } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Logo } from "../ui/logo.tsx";
import { grouped, matches, type GroupName } from "./groups.ts";
import { GatewayButton } from "./gateway-button.tsx";
import { Row } from "./row.tsx";
import styles from "./sidebar.module.css";

export function Sidebar(): JSX.Element {
  const gateway = useGateway();
  const query = useSignal("");
  const showsArchived = useSignal(false);
  useSeeing(gateway);
  useSidebarCommands(gateway);
  useEffect(() => {
    isSidebarOpen.value = false; // a screen was chosen
  }, [hashOf(route.value)]);
  return (
    <nav class={styles["sidebar"]} aria-label={t("sidebar.title")}>
      <div class={styles["head"]}>
        <Logo size={26} />
        <span class={styles["name"]}>{t("app.name")}</span>
        <IconButton icon={PanelLeftClose} label={t("shell.closeSidebar")} onClick={toggleSidebar} />
      </div>
      <button type="button" class={styles["new"]} onClick={() => newChat(gateway)}>
        <Icon of={MessageSquarePlus} />
        {t("sidebar.newChat")}
      </button>
      <label class={styles["search"]}>
        <Icon of={Search} size={16} />
        <span class="visually-hidden">{t("sidebar.search")}</span>
        <input
          type="search"
          placeholder={t("sidebar.search")}
          value={query.value}
          onInput={(event) => (query.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") query.value = "";
          }}
        />
        {query.value !== "" && (
          <IconButton icon={X} size={14} label={t("sidebar.clearSearch")} onClick={() => (query.value = "")} />
        )}
      </label>
      <Chats query={query.value} showsArchived={showsArchived.value} />
      <button
        type="button"
        class={styles["archived"]}
        aria-pressed={showsArchived.value}
        onClick={() => (showsArchived.value = !showsArchived.value)}
      >
        <Icon of={Archive} size={15} />
        {t(showsArchived.value ? "sidebar.hideArchived" : "sidebar.showArchived")}
      </button>
      <footer class={styles["foot"]}>
        <GatewayButton />
        <Place to={{ name: "automation", tab: "tasks", id: null }} icon={Zap} label={t("sidebar.automation")} />
        <Bell />
        <Place to={{ name: "settings", section: "appearance" }} icon={Settings} label={t("sidebar.settings")} />
      </footer>
    </nav>
  );
}

function Place({ to, icon, label }: { to: Route; icon: typeof Zap; label: string }): JSX.Element {
  return (
    <a
      class={styles["place"]}
      href={hashOf(to)}
      aria-label={label}
      title={label}
      aria-current={route.value.name === to.name ? "page" : undefined}
    >
      <Icon of={icon} />
    </a>
  );
}

function Chats({ query, showsArchived }: { query: string; showsArchived: boolean }): JSX.Element {
  const gateway = useGateway();
  const { sessions } = gateway;
  const list = useRef<HTMLDivElement>(null);
  const shown = useShown(gateway, query, showsArchived);
  const hasMore = sessions.hasMore.value;
  useEffect(() => {
    if (query !== "" && hasMore) void sessions.loadMore().catch(toastError); // what is searched for may be further down
  }, [query, hasMore, sessions.list.value]);
  if (sessions.list.value === null) {
    const words = sessions.trouble.value === null ? t("shell.loading") : t("sidebar.notLoaded");
    return <p class={styles["empty"]}>{words}</p>;
  }
  if (shown.length === 0) {
    const words = query !== "" ? "sidebar.nothingFound" : showsArchived ? "sidebar.nothingArchived" : "sidebar.noChats";
    return (
      <p class={styles["empty"]} role="status">
        {t(words)}
      </p>
    );
  }
  const current = currentId(gateway);
  return (
    <div ref={list} class={styles["list"]} onKeyDown={(event) => moveFocus(event, list.current)}>
      {grouped(shown, Date.now() / 1000).map(({ key, name, sessions: some }) => (
        <section key={key} role="group" aria-label={groupName(name)}>
          <h2>{groupName(name)}</h2>
          <ul class={styles["rows"]}>
            {some.map((session) => (
              <Row
                key={session.id}
                session={session}
                isCurrent={session.id === current}
                isUnread={session.id !== current && gateway.readMarks.isUnread(session)}
                query={query}
              />
            ))}
          </ul>
        </section>
      ))}
      {hasMore && (
        <button type="button" class={styles["more"]} onClick={() => void sessions.loadMore().catch(toastError)}>
          {t("sidebar.more")}
        </button>
      )}
    </div>
  );
}

function useShown({ sessions }: GatewayState, query: string, showsArchived: boolean): readonly Session[] {
  const list = sessions.list.value;
  return useMemo(
    () =>
      list?.filter((session) => {
        const isHere = query === "" ? session.archived === showsArchived : matches(session.title, query);
        return isHere;
      }) ?? [],
    [list, query, showsArchived],
  );
}

type Session = NonNullable<GatewayState["sessions"]["list"]["value"]>[number];

function groupName(name: GroupName): string {
  return name.kind === "past" ? monthName(name.from) : t(`sidebar.${name.kind}`);
}

/** The chat on the screen; the default one has its id from the gateway. */
function currentId({ hello }: GatewayState): string | null {
  const shown = route.value;
  return shown.name === "chat" ? (shown.session ?? hello.value?.sessionId ?? null) : null;
}

/** What is on the screen, of a page that is looked at, is read. */
function useSeeing(gateway: GatewayState): void {
  const isVisible = useSignal(document.visibilityState === "visible");
  useEffect(() => {
    const look = (): void => void (isVisible.value = document.visibilityState === "visible");
    document.addEventListener("visibilitychange", look);
    const end = gateway.readMarks.follow(window);
    return () => {
      document.removeEventListener("visibilitychange", look);
      end();
    };
  }, [gateway]);
  useSignalEffect(() => {
    const list = gateway.sessions.list.value;
    if (list === null) return;
    gateway.readMarks.begin(list);
    const current = list.find(({ id }) => id === currentId(gateway));
    if (isVisible.value && current !== undefined) gateway.readMarks.see(current);
  });
}

/** An empty one that has no title yet is as good as a new one. */
function newChat({ sessions, hello }: GatewayState): void {
  const isFresh = ({ id, messageCount, title, archived }: Session): boolean =>
    messageCount === 0 && title === "" && !archived && id !== hello.peek()?.sessionId;
  const open = ({ id }: Session): void => {
    go({ name: "chat", session: id });
    isSidebarOpen.value = false;
    requestAnimationFrame(() => document.querySelector<HTMLElement>("[data-composer] textarea")?.focus());
  };
  const fresh = sessions.list.peek()?.find(isFresh);
  if (fresh !== undefined) open(fresh);
  else void sessions.create().then(open, toastError);
}

function useSidebarCommands(gateway: GatewayState): void {
  const last = useComputed(() => currentId(gateway));
  const commands = useMemo((): Command[] => {
    const step = (by: number): void => {
      const chats = gateway.sessions.list.peek()?.filter(({ archived }) => !archived) ?? [];
      const at = chats.findIndex(({ id }) => id === last.peek());
      const next = chats[at + by];
      if (next !== undefined) go({ name: "chat", session: next.id });
    };
    return [
      {
        ...{ id: "sidebar.new", title: t("sidebar.newChat"), icon: MessageSquarePlus, keys: "mod+shift+o" },
        run: () => newChat(gateway),
      },
      { id: "sidebar.toggle", title: t("sidebar.toggle"), icon: PanelLeftClose, keys: "mod+b", run: toggleSidebar },
      { id: "sidebar.previous", title: t("sidebar.previous"), keys: "alt+arrowup", run: () => step(-1) },
      { id: "sidebar.next", title: t("sidebar.next"), keys: "alt+arrowdown", run: () => step(1) },
      {
        ...{ id: "sidebar.automation", title: t("sidebar.automation"), icon: Zap },
        run: () => go({ name: "automation", tab: "tasks", id: null }),
      },
      {
        ...{ id: "sidebar.settings", title: t("sidebar.settings"), icon: Settings, keys: "mod+," },
        run: () => go({ name: "settings", section: "appearance" }),
      },
      {
        ...{ id: "palette.open", title: t("shell.palette"), icon: CommandIcon, keys: "mod+k", isOnlyKeys: true },
        run: () => (isPaletteOpen.value = "commands"),
      },
      {
        ...{ id: "palette.help", title: t("palette.shortcuts"), keys: "?" },
        run: () => (isPaletteOpen.value = "help"),
      },
    ];
  }, [gateway, last, t("sidebar.newChat")]);
  useCommands(commands);
}

/** Arrows go from chat to chat. */
function moveFocus(event: KeyboardEvent, list: HTMLElement | null): void {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (by === undefined || list === null || event.altKey || event.target instanceof HTMLInputElement) return;
  const links = [...list.querySelectorAll<HTMLElement>("a")];
  const at = links.findIndex((link) => link.closest("li")?.contains(document.activeElement) === true);
  const next = links[at + by];
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}
