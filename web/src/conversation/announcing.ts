/** Says to those who listen what happens in a conversation, and keeps the time of what agents think. */

import { useSignalEffect } from "@preact/signals";
import { announce } from "../app/announcer.tsx";
import { t, tOf } from "../i18n/language.ts";
import type { Saying } from "./announcements.ts";
import { shortened, spoken, withoutFileTags } from "./plain-text.ts";
import type { ViewedChat } from "./recent-chats.ts";
import { shortName } from "./tool-words.ts";

/** Among these are all that are not over. */
const LAST_TURNS = 20;
const MOST_CHARS = 300;

export function useAnnouncing({ open, memory }: ViewedChat, agent: string): void {
  useSignalEffect(() => {
    const now = performance.now();
    for (const row of open.transcript.rows.value.slice(-LAST_TURNS)) {
      const turn = row.turn.value;
      memory.thinking.watch(turn, now);
      for (const saying of memory.announcements.hear(turn, now)) announce(wordsFor(saying, agent).trim());
    }
  });
}

function wordsFor(saying: Saying, agent: string): string {
  switch (saying.kind) {
    case "begins":
      return t("conversation.says.begins", { agent });
    case "tool":
      return t("conversation.runningTool", { name: shortName(saying.name) });
    case "answer":
      return `${shortly(saying.text)} ${t("conversation.says.complete")}`;
    case "stopped":
      return `${shortly(saying.text)} ${tOf("reason", saying.reason ?? "interrupted", "reason.other")}`;
    case "failed":
      return `${t("turn.failed")}: ${tOf("error", saying.code, "error.internal_error")} ${saying.message}`;
  }
}

const shortly = (markdown: string): string =>
  shortened(spoken(withoutFileTags(markdown, false), t("conversation.says.code")), MOST_CHARS);
