/** One chat: its header, what was said, and where the next message is typed. */

import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { Copy, MessageCircleOff, MessagesSquare, Pencil, Square } from "lucide";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { SessionApprovals } from "../approvals/session-approvals.tsx";
import { useCommands, type Command } from "../app/commands.ts";
import { useClient, useGateway } from "../app/context.ts";
import { hashOf } from "../app/router.ts";
import { useTitle } from "../app/title.ts";
import { sentenceOf, toastError } from "../app/toasts.tsx";
import { attachmentsOf } from "../composer/attachments.ts";
import { Composer } from "../composer/composer.tsx";
import { splitIncoming } from "../files/incoming.ts";
import { t } from "../i18n/language.ts";
import type { OpenChat } from "../state/gateway.ts";
import type { Transcript } from "../state/transcript.ts";
import { isOver, type Turn } from "../state/turns.ts";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { SidebarButton } from "../ui/screen.tsx";
import { useAnnouncing } from "./announcing.ts";
import { answerersOf } from "./answerers.ts";
import { markdownOf } from "./blocks.ts";
import { ConnectionLine } from "./connection-line-view.tsx";
import { ConversationContext, type ConversationParts } from "./context.ts";
import { copyAndSay } from "./copying.ts";
import { Greeting } from "./greeting.tsx";
import { Header } from "./header.tsx";
import { useOpening } from "./opening.ts";
import { withoutFileTags } from "./plain-text.ts";
import type { ViewedChat } from "./recent-chats.ts";
import { TurnList } from "./turn-list.tsx";
import styles from "./conversation.module.css";

export function Conversation({ session }: { session: string | null }): JSX.Element {
  const gateway = useGateway();
  const [attempt, setAttempt] = useState(0);
  const opening = useOpening(gateway, session, attempt).value;
  switch (opening.phase) {
    case "open":
      return <Chat key={opening.viewed.open.chat.key} session={session} viewed={opening.viewed} />;
    case "opening":
      return (
        <Frame>
          <Placeholder />
        </Frame>
      );
    case "missing":
      return (
        <Frame>
          <Empty icon={MessageCircleOff} title={t("conversation.missing")}>
            <p>{t("conversation.missingWhy")}</p>
            <a href={hashOf({ name: "chat", session: null })}>{t("conversation.toDefault")}</a>
          </Empty>
        </Frame>
      );
    case "failed":
      return (
        <Frame>
          <Empty icon={MessageCircleOff} title={t("conversation.notOpened")}>
            <p>{sentenceOf(opening.error)}</p>
            <Button onClick={() => setAttempt(attempt + 1)}>{t("conversation.tryAgain")}</Button>
          </Empty>
        </Frame>
      );
  }
}

/** A place for a chat that is not there. */
function Frame({ children }: { children: ComponentChildren }): JSX.Element {
  const gateway = useGateway();
  useTitle(t("conversation.chat"));
  return (
    <>
      <header class={styles["bare"]}>
        <SidebarButton />
        <h1>{t("conversation.chat")}</h1>
      </header>
      <div class={styles["body"]}>
        <ConnectionLine connection={gateway.connection} trouble={null} onRetry={() => gateway.gateway.retry()} />
        {children}
      </div>
    </>
  );
}

function Chat({ session, viewed }: { session: string | null; viewed: ViewedChat }): JSX.Element {
  const gateway = useGateway();
  const client = useClient();
  const { open, memory } = viewed;
  const { editing } = memory;
  const { transcript, chat } = open;
  const id = useSessionId(open, session);
  const known = useComputed(() => gateway.sessions.list.value?.find((one) => one.id === id) ?? null).value;
  const agent = known?.agent ?? gateway.hello.value?.agent ?? "";
  const agentTitle = answerersOf(gateway).titleOf(agent);
  useEffect(() => {
    const answerers = answerersOf(gateway);
    if (answerers.providers.peek() === null) void answerers.load();
  }, [gateway]);
  useAnnouncing(viewed, agentTitle);

  const parts = useMemo((): ConversationParts => {
    const { url } = gateway.gateway;
    const focus = (): void => document.querySelector<HTMLElement>("[data-composer] textarea")?.focus();
    return {
      ...{ open, memory, agent, agentTitle, editing },
      edit: (turn) => {
        if (turn.user === null) return;
        if (editing.peek() === null) memory.aside = client.drafts.of(url, chat.key).peek();
        const { files, text } = splitIncoming(turn.user.text);
        attachmentsOf(gateway.gateway.http, chat.key).restore(files);
        client.drafts.write(url, chat.key, text);
        editing.value = turn.id;
        focus();
      },
      retry: ({ user }) => {
        if (user !== null) void chat.send(user.text).catch(toastError);
      },
      stop: () => void chat.abort().catch(toastError),
      write: (text) => {
        const draft = client.drafts.of(url, chat.key).peek();
        client.drafts.write(url, chat.key, draft.trim() === "" ? text : `${draft}\n\n${text}`);
        focus();
      },
    };
  }, [gateway, client, chat, open, memory, agent, agentTitle, editing]);
  useSignalEffect(() => {
    if (editing.value !== null || memory.aside.trim() === "") return;
    const { aside } = memory;
    memory.aside = "";
    queueMicrotask(() => parts.write(aside)); // the composer clears the draft in this moment
  });
  useConversationCommands(transcript, parts);

  const isDeleted = transcript.phase.value === "deleted";
  return (
    <ConversationContext.Provider value={parts}>
      <Header session={known} agent={agent} />
      <div class={styles["body"]}>
        <ConnectionLine
          connection={open.connection}
          trouble={transcript.trouble}
          onRetry={() => gateway.gateway.retry()}
        />
        <Said open={open} />
      </div>
      {id !== null && <SessionApprovals sessionId={id} />}
      {isDeleted ? (
        <p class={styles["deleted"]} role="status">
          {t("conversation.deleted")}{" "}
          <a href={hashOf({ name: "chat", session: null })}>{t("conversation.toDefault")}</a>
        </p>
      ) : (
        <div class={styles["composer"]} data-composer>
          <Composer open={open} editing={editing} />
        </div>
      )}
    </ConversationContext.Provider>
  );
}

/** The default chat's is known once its connection was there. */
function useSessionId({ connection }: OpenChat, session: string | null): string | null {
  const last = useSignal<string | null>(session);
  const state = connection.value;
  const id = state.phase === "online" ? state.hello.sessionId : null;
  useEffect(() => {
    if (id !== null) last.value = id;
  }, [id, last]);
  return session ?? id ?? last.value;
}

function Said({ open }: { open: OpenChat }): JSX.Element | null {
  const { transcript, connection } = open;
  const isEmpty = useComputed(() => transcript.rows.value.length === 0 && transcript.outgoing.value.length === 0).value;
  if (!isEmpty) return <TurnList transcript={transcript} />;
  if (transcript.phase.value !== "loading") return <Greeting />;
  return connection.value.phase === "refused" ? null : <Placeholder />;
}

/** What is to come, about as it will look. It is late enough not to be seen where things are quick. */
function Placeholder(): JSX.Element {
  return (
    <div class={styles["placeholder"]} role="status" aria-label={t("shell.loading")}>
      <i />
      <i />
      <i />
      <i />
    </div>
  );
}

function useConversationCommands({ rows }: Transcript, { edit, stop, editing }: ConversationParts): void {
  const commands = useMemo((): Command[] => {
    const newest = (fits: (turn: Turn) => boolean): Turn | undefined =>
      rows
        .peek()
        .map(({ turn }) => turn.peek())
        .findLast(fits);
    const isIdle = (): boolean => editing.peek() === null;
    return [
      {
        ...{ id: "conversation.edit", title: t("conversation.editLast"), icon: Pencil, keys: "e" },
        run: () => {
          const last = newest(({ user }) => user !== null);
          if (last !== undefined && isIdle()) edit(last);
        },
      },
      {
        ...{ id: "conversation.copy", title: t("conversation.copyLast"), icon: Copy, keys: "c" },
        run: () => {
          const last = newest(({ parts }) => markdownOf(parts) !== "");
          if (last !== undefined) void copyAndSay(withoutFileTags(markdownOf(last.parts), false).trim());
        },
      },
      {
        ...{ id: "conversation.stop", title: t("conversation.stopAnswer"), icon: Square },
        run: () => {
          if (newest((turn) => !isOver(turn)) !== undefined) stop();
        },
      },
      {
        ...{ id: "conversation.list", title: t("conversation.toMessages"), icon: MessagesSquare, keys: "m" },
        run: () => document.getElementById("messages")?.focus(),
      },
    ];
  }, [rows, edit, stop, editing]);
  useCommands(commands);
}
