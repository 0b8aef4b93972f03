/** What people choose about this page, on this device: kept in the browser, never sent. */

import { effect, signal, type Signal } from "@preact/signals";
import { LANGUAGES, preferred, speak, type Language } from "../i18n/language.ts";

export const THEMES = ["system", "light", "dark"] as const;
export const DENSITIES = ["comfortable", "compact"] as const;
export const SEND_KEYS = ["enter", "mod-enter"] as const;
export type Theme = (typeof THEMES)[number];
export type Density = (typeof DENSITIES)[number];
/** What sends a message; the other one makes a new line. */
export type SendKey = (typeof SEND_KEYS)[number];
/** `auto`: what the browser's user reads. */
export type LanguageChoice = "auto" | Language;

const PREFIX = "sygen:preference:";

function kept<Value extends string>(name: string, values: readonly Value[], fallback: Value): Signal<Value> {
  const key = PREFIX + name;
  const found = read(key);
  const preference = signal(values.find((value) => value === found) ?? fallback);
  effect(() => write(key, preference.value));
  window.addEventListener("storage", (event) => {
    if (event.key === key) preference.value = values.find((value) => value === event.newValue) ?? fallback;
  });
  return preference;
}

const SWITCH = ["on", "off"] as const;

export const theme = kept("theme", THEMES, "system");
export const density = kept("density", DENSITIES, "comfortable");
export const languageChoice = kept<LanguageChoice>("language", ["auto", ...namesOf(LANGUAGES)], "auto");
export const sendKey = kept("send-key", SEND_KEYS, "enter");
/** Tokens and costs under each answer. */
export const showsUsage = kept("usage", SWITCH, "off");
/** Notifications of the desktop while the page is in the background. */
export const notifiesDesktop = kept("desktop-notifications", SWITCH, "off");

/** Do as they say, from now on. Resolves when the page speaks the language that is wanted. */
export async function followPreferences(root: HTMLElement): Promise<void> {
  effect(() => {
    if (theme.value === "system") delete root.dataset["theme"];
    else root.dataset["theme"] = theme.value;
  });
  effect(() => void (root.dataset["density"] = density.value));
  let spoken = Promise.resolve();
  effect(() => {
    const choice = languageChoice.value;
    const wanted = choice === "auto" ? preferred(navigator.languages) : choice;
    spoken = speak(wanted).then(
      () => void (root.lang = wanted),
      () => undefined, // its catalogue cannot be loaded now: the language stays
    );
  });
  await spoken;
}

function namesOf<Name extends string>(record: Readonly<Record<Name, unknown>>): Name[] {
  return Object.keys(record) as Name[];
}

/** Browsers may refuse: then a choice lasts as long as the page. */
function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    return;
  }
}
