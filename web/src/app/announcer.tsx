/** Words for those who listen and do not look. Each is said once; the same words twice are said twice. */

import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { t } from "../i18n/language.ts";

const KEEP = 20;

const said = signal<readonly { readonly id: number; readonly text: string }[]>([]);
let last = 0;

/** Whole sentences at most every few seconds, please: this interrupts nobody, but it adds up. */
export function announce(text: string): void {
  if (text.trim() === "") return;
  said.value = [...said.value.slice(1 - KEEP), { id: ++last, text }];
}

export function Announcer(): JSX.Element {
  return (
    <div
      class="visually-hidden"
      role="log"
      aria-live="polite"
      aria-relevant="additions"
      aria-label={t("shell.announcements")}
    >
      {said.value.map(({ id, text }) => (
        <p key={id}>{text}</p>
      ))}
    </div>
  );
}
