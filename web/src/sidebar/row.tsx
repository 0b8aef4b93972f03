/** One chat in the list: a link to it, and what can be done with it. */

import { Archive, ArchiveRestore, Ellipsis, Link, Pencil, Trash2 } from "lucide";
import type { ComponentChild, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { dateTime } from "../app/dates.ts";
import { hashOf } from "../app/router.ts";
import { toast } from "../app/toasts.tsx";
import type { Session } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { IconButton } from "../ui/button.tsx";
import { copyText } from "../ui/clipboard.ts";
import { Menu, type MenuItem } from "../ui/menu.tsx";
import { folded } from "./groups.ts";
import { archiveSession, removeSession, renameSession, unarchiveSession } from "./session-actions.ts";
import styles from "./sidebar.module.css";

interface RowGiven {
  readonly session: Session;
  readonly isCurrent: boolean;
  readonly isUnread: boolean;
  /** What is searched for. */
  readonly query: string;
}

export function Row({ session, isCurrent, isUnread, query }: RowGiven): JSX.Element {
  const gateway = useGateway();
  const [isRenaming, setRenaming] = useState(false);
  const [isMenuOpen, setMenuOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const link = useRef<HTMLAnchorElement>(null);
  const title = session.title === "" ? t("sidebar.untitled") : session.title;
  const href = hashOf({ name: "chat", session: session.id });
  const endRenaming = (): void => {
    setRenaming(false);
    requestAnimationFrame(() => link.current?.focus());
  };
  const remove = (): void => removeAndGoOn(link.current, () => removeSession(gateway, session));
  if (isRenaming) {
    return (
      <li class={styles["row"]}>
        <Rename session={session} onDone={endRenaming} />
      </li>
    );
  }
  return (
    <li class={styles["row"]} data-current={isCurrent || undefined} data-menu={isMenuOpen || undefined}>
      <a
        ref={link}
        href={href}
        aria-current={isCurrent ? "page" : undefined}
        title={`${title}\n${dateTime(session.updatedAt)}`}
        data-unread={isUnread || undefined}
        onContextMenu={(event) => {
          event.preventDefault();
          setMenuOpen(true);
        }}
        onKeyDown={(event) => {
          if (event.key === "F2") setRenaming(true);
          else if (event.key === "Delete") remove();
        }}
      >
        <span class={styles["title"]}>{marked(title, query)}</span>
        {isUnread && (
          <>
            <span class={styles["dot"]} aria-hidden="true" />
            <span class="visually-hidden">, {t("sidebar.unread")}</span>
          </>
        )}
      </a>
      <IconButton
        icon={Ellipsis}
        size={16}
        label={t("sidebar.menuOf", { title })}
        buttonRef={button}
        aria-haspopup="menu"
        aria-expanded={isMenuOpen}
        onClick={() => setMenuOpen(!isMenuOpen)}
      />
      {isMenuOpen && (
        <OpenMenu
          session={session}
          anchor={button.current}
          onRename={() => setRenaming(true)}
          onRemove={remove}
          onClose={() => {
            setMenuOpen(false);
            button.current?.focus();
          }}
        />
      )}
    </li>
  );
}

interface OpenMenuGiven {
  readonly session: Session;
  readonly anchor: HTMLElement | null;
  readonly onRename: () => void;
  readonly onRemove: () => void;
  readonly onClose: () => void;
}

function OpenMenu({ session, anchor, onRename, onRemove, onClose }: OpenMenuGiven): JSX.Element {
  const gateway = useGateway();
  const copyLink = (): void => {
    const { href, hash } = location;
    const address = href.slice(0, href.length - hash.length) + hashOf({ name: "chat", session: session.id });
    void copyText(address).then((isThere) => {
      if (isThere) toast({ text: t("sidebar.linkCopied") });
    });
  };
  const items: MenuItem[] = [
    { label: t("sidebar.rename"), icon: Pencil, run: onRename },
    { label: t("sidebar.copyLink"), icon: Link, run: copyLink },
    session.archived
      ? { label: t("sidebar.unarchive"), icon: ArchiveRestore, run: () => unarchiveSession(gateway, session) }
      : { label: t("sidebar.archive"), icon: Archive, run: () => archiveSession(gateway, session) },
    { label: t("sidebar.remove"), icon: Trash2, isDanger: true, run: onRemove },
  ];
  return <Menu label={t("sidebar.menu")} items={items} anchor={anchor} onClose={onClose} />;
}

/** The focus goes to the chat that takes the place of the one that goes. */
function removeAndGoOn(link: HTMLAnchorElement | null, remove: () => void): void {
  const links = [...(link?.closest("nav")?.querySelectorAll<HTMLAnchorElement>("li > a") ?? [])];
  const at = links.findIndex((one) => one === link);
  const next = links[at + 1] ?? links[at - 1];
  remove();
  requestAnimationFrame(() => next?.focus());
}

const MOST_CHARS = 200; // the gateway's rule

function Rename({ session, onDone }: { session: Session; onDone: () => void }): JSX.Element {
  const gateway = useGateway();
  const field = useRef<HTMLInputElement>(null);
  const isOver = useRef(false);
  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  const end = (isWanted: boolean): void => {
    if (isOver.current) return;
    isOver.current = true;
    if (isWanted) renameSession(gateway, session, field.current?.value ?? "");
    onDone();
  };
  return (
    <input
      ref={field}
      class={styles["rename"]}
      defaultValue={session.title}
      maxLength={MOST_CHARS}
      aria-label={t("sidebar.newTitle")}
      onBlur={() => end(true)}
      onKeyDown={(event) => {
        if (event.isComposing) return;
        if (event.key === "Enter") end(true);
        else if (event.key === "Escape") end(false);
      }}
    />
  );
}

/** The first word of the search that is in there stands out. */
function marked(title: string, query: string): ComponentChild {
  const word = folded(query).trim().split(/\s+/)[0] ?? "";
  const at = word === "" || folded(title).length !== title.length ? -1 : folded(title).indexOf(word);
  if (at < 0) return title;
  return (
    <>
      {title.slice(0, at)}
      <mark>{title.slice(at, at + word.length)}</mark>
      {title.slice(at + word.length)}
    </>
  );
}
