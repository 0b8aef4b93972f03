/** Short words about what was just done, with a way back where there is one. They go by themselves, unless they are held. */

import { signal } from "@preact/signals";
import { X } from "lucide";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { GatewayError } from "../gateway/errors.ts";
import { t, tOf } from "../i18n/language.ts";
import { Button, IconButton } from "../ui/button.tsx";
import styles from "./toasts.module.css";

export interface Toast {
  readonly text: string;
  readonly tone?: "plain" | "danger";
  readonly action?: { readonly label: string; readonly run: () => void };
  /** When it goes without having been pressed: when the time is over, or a person dismissed it. */
  readonly onGone?: () => void;
  readonly durationMs?: number;
}

const PLAIN_MS = 5_000;
const WITH_ACTION_MS = 8_000;

const shown = signal<readonly (Toast & { readonly id: number })[]>([]);
let last = 0;

/** Returns what takes it away again. */
export function toast(given: Toast): () => void {
  const id = ++last;
  shown.value = [...shown.value, { ...given, id }];
  return () => void (shown.value = shown.value.filter((one) => one.id !== id));
}

/** What went wrong, as a sentence; other errors than the gateway's are bugs and pass. */
export function toastError(error: unknown): void {
  if (!(error instanceof GatewayError)) throw error;
  toast({ text: sentenceOf(error), tone: "danger" });
}

export function sentenceOf(error: GatewayError): string {
  const sentence = tOf("error", error.code, "error.internal_error");
  return error.detail === null ? sentence : `${sentence} (${error.detail})`;
}

export function Toasts(): JSX.Element {
  return (
    <div class={styles["toasts"]} role="status" aria-live="polite">
      {shown.value.map((one) => (
        <OneToast
          key={one.id}
          given={one}
          onGone={() => (shown.value = shown.value.filter(({ id }) => id !== one.id))}
        />
      ))}
    </div>
  );
}

function OneToast({ given, onGone }: { given: Toast; onGone: () => void }): JSX.Element {
  const { text, tone = "plain", action } = given;
  const duration = given.durationMs ?? (action === undefined ? PLAIN_MS : WITH_ACTION_MS);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const leave = (): void => {
    onGone();
    given.onGone?.();
  };
  const hold = (): void => clearTimeout(timer.current);
  const letGo = (): void => {
    hold();
    timer.current = setTimeout(leave, duration);
  };
  useEffect(() => {
    letGo();
    return hold;
  }, []);
  return (
    <div
      class={`${styles["toast"]} ${styles[tone]}`}
      onMouseEnter={hold}
      onMouseLeave={letGo}
      onFocusIn={hold}
      onFocusOut={letGo}
    >
      <span>{text}</span>
      {action !== undefined && (
        <Button
          tone="quiet"
          onClick={() => {
            onGone();
            action.run();
          }}
        >
          {action.label}
        </Button>
      )}
      <IconButton icon={X} label={t("shell.dismiss")} onClick={leave} size={16} />
    </div>
  );
}
