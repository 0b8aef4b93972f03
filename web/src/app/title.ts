/** What the browser's tab says: what is shown, and before it how many things want attention. */

import { effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { t } from "../i18n/language.ts";

const shown = signal("");

/** How many things wait to be seen. */
export const attention = signal(0);

let stop: (() => void) | null = null;

export function useTitle(title: string): void {
  useEffect(() => {
    shown.value = title;
    stop ??= effect(() => {
      const count = attention.value === 0 ? "" : `(${attention.value}) `;
      document.title = `${count}${shown.value === "" ? "" : `${shown.value} · `}${t("app.name")}`;
    });
  }, [title]);
}
