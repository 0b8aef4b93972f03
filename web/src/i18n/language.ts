/** Which language the page speaks. */

import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { translator, type Catalogue, type Key, type Translate } from "./catalogue.ts";
import { en } from "./en.ts";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const LOADERS: Readonly<Record<Language, () => Promise<Catalogue>>> = {
  en: () => Promise.resolve(en),
  de: async () => (await import("./de.ts")).de,
};

const current = signal<{ readonly language: Language; readonly catalogue: Catalogue }>({
  language: "en",
  catalogue: en,
});

export const language: ReadonlySignal<Language> = computed(() => current.value.language);

const translate = computed(() => translator(current.value.language, current.value.catalogue));

/** A sentence in the language that is spoken now; what reads it in a component is drawn anew when that changes. */
export const t: Translate = (key, ...given) => translate.value(key, ...given);

/** The sentence for a code of an open set, such as a turn's reason: `fallback` for one that this version does not know. */
export const tOf = (prefix: string, code: string, fallback: PlainKey): string => {
  const key = `${prefix}.${code}`;
  return t(isPlain(key) ? key : fallback);
};

/** Rejects if the catalogue cannot be loaded; then the language stays. */
export async function speak(wanted: Language): Promise<void> {
  current.value = { language: wanted, catalogue: await LOADERS[wanted]() };
}

/** The first of what the browser's user reads that there is a catalogue for. */
export function preferred(languages: readonly string[]): Language {
  const spoken = Object.keys(LANGUAGES) as Language[];
  for (const wanted of languages) {
    const found = spoken.find((one) => wanted === one || wanted.startsWith(`${one}-`));
    if (found !== undefined) return found;
  }
  return "en";
}

/** Keys whose sentences have nothing to fill in. */
type PlainKey = {
  [K in Key]: (typeof en)[K] extends `${string}{${string}}${string}`
    ? never
    : (typeof en)[K] extends string
      ? K
      : never;
}[Key];

function isPlain(key: string): key is PlainKey {
  const sentence = (en as Readonly<Record<string, unknown>>)[key];
  return typeof sentence === "string" && !/\{\w+\}/.test(sentence);
}
