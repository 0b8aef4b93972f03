/** Buttons that copy, and say for a moment that they have. */

import { useSignal } from "@preact/signals";
import { Check, type IconNode } from "lucide";
import { useEffect, useRef } from "preact/hooks";
import { announce } from "../app/announcer.tsx";
import { toast } from "../app/toasts.tsx";
import { t } from "../i18n/language.ts";
import { copyText } from "../ui/clipboard.ts";

const SHOWN_MS = 1_600;

interface Copying {
  readonly copy: (text: string) => void;
  /** The button's icon, or the one that says it is done. */
  readonly icon: (usual: IconNode) => IconNode;
}

export function useCopying(): Copying {
  const isDone = useSignal(false);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async (text: string): Promise<void> => {
    if (!(await copyAndSay(text))) return;
    isDone.value = true;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => (isDone.value = false), SHOWN_MS);
  };
  return { copy: (text) => void copy(text), icon: (usual) => (isDone.value ? Check : usual) };
}

/** Where no button shows it. */
export async function copyAndSay(text: string): Promise<boolean> {
  const isCopied = await copyText(text);
  if (isCopied) announce(t("conversation.copied"));
  else toast({ text: t("conversation.notCopied"), tone: "danger" });
  return isCopied;
}
