/** Where the next message is made: typed, spoken, with files. What is here is lost by nothing but sending it. */

import { useComputed, type Signal } from "@preact/signals";
import { ArrowUp, Mic, Paperclip, PencilLine, Square, X } from "lucide";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { lackOf } from "../app/capabilities.ts";
import { useCommands } from "../app/commands.ts";
import { useClient, useGateway } from "../app/context.ts";
import { sendKey } from "../app/preferences.ts";
import { sentenceOf, toast } from "../app/toasts.tsx";
import { useConversation } from "../conversation/context.ts";
import { withIncoming } from "../files/incoming.ts";
import { GatewayError } from "../gateway/errors.ts";
import { t, tOf } from "../i18n/language.ts";
import type { OpenChat } from "../state/gateway.ts";
import { isOver } from "../state/turns.ts";
import { IconButton } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { lazy } from "../ui/lazy.tsx";
import { AttachmentChips } from "./attachment-chips.tsx";
import { attachmentsOf } from "./attachments.ts";
import { CommandList } from "./command-list.tsx";
import { DropZone } from "./drop-zone.tsx";
import { bytesOf, commandsFor, inserted, isSending, MOST_BYTES, type CommandName } from "./sending.ts";
import styles from "./composer.module.css";

const Recorder = lazy(async () => (await import("../voice/recorder.tsx")).Recorder);
const isTouch = window.matchMedia("(pointer: coarse)");

interface ComposerGiven {
  readonly open: OpenChat;
  /** The turn whose message is written anew; null for a new one. */
  readonly editing: Signal<string | null>;
}

export function Composer({ open, editing }: ComposerGiven): JSX.Element {
  const { chat, transcript } = open;
  const client = useClient();
  const { gateway } = useGateway();
  const { edit, agentTitle } = useConversation();
  const draft = client.drafts.of(gateway.url, chat.key);
  const attachments = useMemo(() => attachmentsOf(gateway.http, chat.key), [gateway, chat.key]);
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const isCollecting = useRef(false);
  const [isWaiting, setWaiting] = useState(false);
  const [isRecording, setRecording] = useState(false);
  const [chosen, setChosen] = useState(0);
  const [isListClosed, setListClosed] = useState(false);
  const isBusy = useComputed(() => {
    const last = transcript.rows.value.at(-1)?.turn.value;
    return last !== undefined && !isOver(last);
  }).value;
  const text = draft.value;
  const offered = isListClosed ? [] : commandsFor(text);
  const isEmpty = text.trim() === "" && attachments.items.value.length === 0;

  const write = (typed: string): void => client.drafts.write(gateway.url, chat.key, typed);
  const focus = (): void => field.current?.focus();
  useEffect(() => {
    if (!isTouch.matches) focus(); // on a phone that would bring up its keyboard
  }, [chat]);
  useEffect(() => grow(field.current), [text]);
  useCommands(
    useMemo(() => [{ id: "composer.focus", title: t("composer.focus"), icon: PencilLine, keys: "/", run: focus }], []),
  );

  const stop = (): void => {
    void chat.abort().catch((error: unknown) => tell(error));
  };
  /** The files that are on their way are waited for; the message itself is kept at once, and others may follow it. */
  const send = async (): Promise<void> => {
    if (isCollecting.current || (draft.peek().trim() === "" && attachments.items.peek().length === 0)) return;
    isCollecting.current = true;
    setWaiting(true);
    const prompts = await attachments.settled();
    isCollecting.current = false;
    setWaiting(false);
    focus();
    if (prompts === null) {
      toast({ text: t("composer.notUploaded"), tone: "danger" });
      return;
    }
    const typed = draft.peek();
    const message = withIncoming(prompts, typed);
    const size = bytesOf(message);
    if (size > MOST_BYTES) {
      const sizes = { size: Math.ceil(size / 1000), most: MOST_BYTES / 1000 };
      toast({ text: t("composer.tooLong", sizes), tone: "danger" });
      return;
    }
    try {
      if (editing.peek() !== null && isBusy) await chat.abort();
      write("");
      attachments.clear();
      editing.value = null;
      await chat.send(message);
    } catch (error) {
      if (draft.peek() === "") write(typed);
      tell(error);
    }
  };
  const take = (name: CommandName): void => {
    write(`/${name}${name === "model" ? " " : ""}`);
    focus();
  };
  const press = (event: KeyboardEvent): void => {
    if (offered.length > 0 && !event.isComposing) {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const at = Math.min(chosen, offered.length - 1);
      if (by !== undefined) setChosen((at + by + offered.length) % offered.length);
      else if (event.key === "Tab" || event.key === "Enter") take(offered[at] ?? "help");
      else if (event.key === "Escape") setListClosed(true);
      else return;
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    if (isSending(event, sendKey.value, isTouch.matches)) {
      event.preventDefault();
      void send();
    } else if (event.key === "Escape" && editing.peek() !== null) {
      event.preventDefault();
      leaveEditing();
    } else if (event.key === "Escape" && text === "" && isBusy) {
      event.preventDefault();
      stop();
    } else if (event.key === "ArrowUp" && text === "" && !event.altKey) {
      const last = transcript.rows.peek().at(-1)?.turn.peek();
      if (last?.user == null) return;
      event.preventDefault();
      edit(last);
    }
  };
  const leaveEditing = (): void => {
    editing.value = null;
    attachments.clear();
    write("");
    focus();
  };
  const hear = (spoken: string): void => {
    const { selectionStart, selectionEnd } = field.current ?? {
      selectionStart: text.length,
      selectionEnd: text.length,
    };
    const { text: whole, caret } = inserted(draft.peek(), spoken, selectionStart, selectionEnd);
    write(whole);
    setRecording(false);
    requestAnimationFrame(() => {
      focus();
      field.current?.setSelectionRange(caret, caret);
    });
  };
  const lack = lackOf("microphone");

  return (
    <form
      class={styles["composer"]}
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <DropZone onFiles={(files) => attachments.add(files)} />
      {editing.value !== null && (
        <p class={styles["editing"]}>
          <Icon of={PencilLine} size={15} />
          <span>{t("composer.editing")}</span>
          <IconButton icon={X} size={15} label={t("composer.leaveEditing")} onClick={leaveEditing} />
        </p>
      )}
      <Troubles open={open} draftTrouble={client.drafts.trouble.value} />
      <AttachmentChips attachments={attachments} />
      <CommandList names={offered} chosen={chosen} onTake={take} />
      {isRecording && (
        <Recorder
          gateway={gateway}
          onText={hear}
          onFile={(file) => attachments.add([file])}
          onClose={() => setRecording(false)}
        />
      )}
      <div class={styles["field"]} hidden={isRecording}>
        <textarea
          ref={field}
          rows={1}
          aria-label={t("composer.message")}
          placeholder={t("composer.placeholder", {
            agent: agentTitle || t("app.name"),
          })}
          value={text}
          enterkeyhint={isTouch.matches ? "enter" : "send"}
          aria-autocomplete="list"
          aria-haspopup="listbox"
          aria-controls={offered.length > 0 ? "composer-commands" : undefined}
          aria-activedescendant={
            offered.length > 0 ? `composer-command-${Math.min(chosen, offered.length - 1)}` : undefined
          }
          onInput={({ currentTarget }) => {
            setListClosed(false);
            setChosen(0);
            write(currentTarget.value);
          }}
          onKeyDown={press}
          onPaste={(event) => {
            const files = [...(event.clipboardData?.files ?? [])];
            if (files.length === 0) return;
            event.preventDefault();
            attachments.add(files.map(named));
          }}
        />
        <div class={styles["buttons"]}>
          <input
            ref={picker}
            type="file"
            multiple
            hidden
            aria-label={t("composer.attach")}
            onChange={({ currentTarget }) => {
              attachments.add([...(currentTarget.files ?? [])]);
              currentTarget.value = ""; // the same file can be chosen again
              focus();
            }}
          />
          <IconButton icon={Paperclip} label={t("composer.attach")} onClick={() => picker.current?.click()} />
          <IconButton
            icon={Mic}
            label={t("composer.speak")}
            data-lack={lack ?? undefined}
            onClick={() => {
              if (lack === null) setRecording(true);
              else toast({ text: t(`settings.lack.microphone.${lack}`), durationMs: 12_000 });
            }}
          />
          <span class={styles["gap"]} />
          {isBusy && <IconButton icon={Square} size={16} label={t("composer.stop")} keys="Esc" onClick={stop} />}
          <IconButton
            icon={ArrowUp}
            tone="primary"
            type="submit"
            label={isBusy && !isEmpty && editing.value === null ? t("composer.sendNext") : t("composer.send")}
            disabled={isEmpty}
            aria-busy={isWaiting || undefined}
          />
        </div>
      </div>
    </form>
  );
}

/** Why what is typed here would not outlast the page, and that sending waits for the connection. */
function Troubles({ open, draftTrouble }: { open: OpenChat; draftTrouble: string | null }): JSX.Element | null {
  const trouble = open.transcript.storageTrouble.value ?? draftTrouble;
  if (trouble !== null) {
    return (
      <p class={styles["hint"]} role="alert">
        {tOf("error", trouble, "error.storage_failed")}
      </p>
    );
  }
  const { phase } = open.connection.value;
  return phase === "offline" ? <p class={styles["hint"]}>{t("composer.offline")}</p> : null;
}

function tell(error: unknown): void {
  if (!(error instanceof GatewayError)) throw error;
  toast({ text: sentenceOf(error), tone: "danger" });
}

/** Browsers that cannot grow a field by themselves have it done for them. */
function grow(field: HTMLTextAreaElement | null): void {
  if (field === null || CSS.supports("field-sizing", "content")) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}

/** A picture from the clipboard is called `image.png`, like all others. */
function named(file: File): File {
  if (file.name !== "image.png") return file;
  const moment = new Date().toISOString().slice(0, 19).replace(/[T:]/g, "-");
  return new File([file], `pasted-${moment}.png`, { type: file.type });
}
