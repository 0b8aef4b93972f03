/** Above a conversation: its name, who answers, and what can be done with it. */

import { Archive, ArchiveRestore, Ellipsis, FileBraces, FileDown, Link, Pencil, Trash2 } from "lucide";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useCommands, type Command } from "../app/commands.ts";
import { useGateway } from "../app/context.ts";
import { dateTime } from "../app/dates.ts";
import { hashOf } from "../app/router.ts";
import { useTitle } from "../app/title.ts";
import { toast, toastError } from "../app/toasts.tsx";
import type { Session } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { archiveSession, removeSession, renameSession, unarchiveSession } from "../sidebar/session-actions.ts";
import type { GatewayState } from "../state/gateway.ts";
import { Avatar } from "../ui/avatar.tsx";
import { MenuButton } from "../ui/menu.tsx";
import { SidebarButton } from "../ui/screen.tsx";
import { copyAndSay } from "./copying.ts";
import type { ExportFormat } from "./export.ts";
import { ModelMenu } from "./model-menu.tsx";
import styles from "./header.module.css";

/** `session` is null as long as the list of chats is not known. */
export function Header({ session, agent }: { session: Session | null; agent: string }): JSX.Element {
  const title = session === null || session.title === "" ? t("conversation.newChat") : session.title;
  const [isRenaming, setRenaming] = useState(false);
  const actions = useActions(session, () => setRenaming(true));
  useTitle(title);
  useCommands(actions);
  return (
    <header class={styles["head"]}>
      <SidebarButton />
      {agent !== "" && (
        <span class={styles["avatar"]}>
          <Avatar agent={agent} size={28} />
        </span>
      )}
      {session !== null && isRenaming ? (
        <Rename session={session} onDone={() => setRenaming(false)} />
      ) : (
        <Title title={title} onRename={session === null ? null : () => setRenaming(true)} />
      )}
      {session !== null && <ModelMenu session={session} />}
      {session !== null && (
        <MenuButton
          icon={Ellipsis}
          label={t("conversation.menu")}
          items={actions.map(({ id, title: label, icon, run }) => ({
            ...{ label, run, isDanger: id === "conversation.remove" },
            ...(icon === undefined ? {} : { icon }),
          }))}
        />
      )}
    </header>
  );
}

/** A button to the keyboard and to those who listen; who points has to do it twice, so that nobody renames by mistake. */
function Title({ title, onRename }: { title: string; onRename: (() => void) | null }): JSX.Element {
  if (onRename === null) return <h1 class={styles["title"]}>{title}</h1>;
  return (
    <h1 class={styles["title"]}>
      <button
        type="button"
        title={t("conversation.renameHint")}
        onClick={({ detail }) => {
          if (detail === 0) onRename();
        }}
        onDblClick={onRename}
      >
        {title}
      </button>
    </h1>
  );
}

const MOST_CHARS = 200;

function Rename({ session, onDone }: { session: Session; onDone: () => void }): JSX.Element {
  const gateway = useGateway();
  const field = useRef<HTMLInputElement>(null);
  const isOver = useRef(false);
  useEffect(() => field.current?.select(), []);
  const end = (isWanted: boolean): void => {
    if (isOver.current) return;
    isOver.current = true;
    if (isWanted) renameSession(gateway, session, field.current?.value ?? "");
    onDone();
  };
  return (
    <h1 class={styles["title"]}>
      <input
        ref={field}
        aria-label={t("conversation.name")}
        defaultValue={session.title}
        maxLength={MOST_CHARS}
        onBlur={() => end(true)}
        onKeyDown={(event) => {
          if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
          event.preventDefault();
          event.stopPropagation();
          end(event.key === "Enter");
        }}
      />
    </h1>
  );
}

function useActions(session: Session | null, rename: () => void): readonly Command[] {
  const gateway = useGateway();
  return useMemo(() => {
    if (session === null) return [];
    const link = new URL(hashOf({ name: "chat", session: session.id }), location.href).href;
    const exportAs = (format: ExportFormat): void => void download(gateway, session, format).catch(toastError);
    return [
      { id: "conversation.rename", title: t("conversation.rename"), icon: Pencil, keys: "f2", run: rename },
      {
        ...{ id: "conversation.link", title: t("conversation.copyLink"), icon: Link },
        run: () => void copyAndSay(link),
      },
      {
        ...{ id: "conversation.markdown", title: t("conversation.asMarkdown"), icon: FileDown },
        run: () => exportAs("md"),
      },
      {
        ...{ id: "conversation.json", title: t("conversation.asJson"), icon: FileBraces },
        run: () => exportAs("json"),
      },
      session.archived
        ? {
            ...{ id: "conversation.archive", title: t("conversation.unarchive"), icon: ArchiveRestore },
            run: () => unarchiveSession(gateway, session),
          }
        : {
            ...{ id: "conversation.archive", title: t("conversation.archive"), icon: Archive },
            run: () => archiveSession(gateway, session),
          },
      {
        ...{ id: "conversation.remove", title: t("conversation.remove"), icon: Trash2 },
        run: () => removeSession(gateway, session),
      },
    ];
  }, [gateway, session, rename]);
}

async function download({ gateway }: GatewayState, session: Session, format: ExportFormat): Promise<void> {
  const end = toast({ text: t("conversation.exporting"), durationMs: LONG_MS });
  try {
    const { allMessages, asJson, asMarkdown, fileName, save } = await import("./export.ts");
    const messages = await allMessages(gateway.api, session.id);
    const words = { you: t("conversation.you"), untitled: t("conversation.newChat"), moment: dateTime };
    const text = format === "md" ? asMarkdown(session, messages, words) : asJson(session, messages);
    save(text, fileName(session.title, format), format);
  } finally {
    end();
  }
}

/** It goes when the file is there. */
const LONG_MS = 600_000;
