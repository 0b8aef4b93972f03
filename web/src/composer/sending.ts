/** What a message may be, and what its keys do: pure. */

import type { SendKey } from "../app/preferences.ts";

/** A frame has at most 1 MiB where nothing else is set; base64 and what stands around the text take their part. */
export const MOST_BYTES = 700_000;

export const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

interface Pressed {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly isComposing: boolean;
}

/** Whether these keys send. On a touch screen Enter makes a new line, whatever was chosen: there is a button. */
export function isSending(pressed: Pressed, sendKey: SendKey, isTouch: boolean): boolean {
  const { key, shiftKey, ctrlKey, metaKey, altKey, isComposing } = pressed;
  if (key !== "Enter" || isComposing || altKey || shiftKey) return false;
  const isModified = ctrlKey || metaKey;
  return isModified || (sendKey === "enter" && !isTouch);
}

/** The gateway's commands, in the order in which they are offered. */
export const COMMANDS = [
  "new",
  "status",
  "model",
  "sessions",
  "approvals",
  "notifications",
  "tasks",
  "cron",
  "stop",
  "help",
] as const;
export type CommandName = (typeof COMMANDS)[number];

/** Those that begin as what is typed, as long as that may be a command and nothing else. */
export function commandsFor(typed: string): readonly CommandName[] {
  const found = /^\/([a-z]*)$/.exec(typed);
  return found === null ? [] : COMMANDS.filter((name) => name.startsWith(found[1] ?? "") && `/${name}` !== typed);
}

/** `text` with `added` where the selection is, apart from the words around it. */
export function inserted(
  text: string,
  added: string,
  from: number,
  to: number,
): { readonly text: string; readonly caret: number } {
  const [before, after] = [text.slice(0, from), text.slice(to)];
  const left = before === "" || /\s$/.test(before) ? "" : " ";
  const right = after === "" || /^\s/.test(after) ? "" : " ";
  const whole = before + left + added + right + after;
  return { text: whole, caret: (before + left + added).length };
}
