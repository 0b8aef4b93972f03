/**
 * Typed access to the catalogues. English is the one that defines the keys; another language is loaded when it is chosen.
 */

import type { en } from "./en.ts";

type English = typeof en;
export type Key = keyof English;

/** `one` and others as in Intl.PluralRules; `other` is always there. */
export type Plural = { readonly other: string } & Partial<Record<Intl.LDMLPluralRule, string>>;

/** The same keys in another language, with plurals where English has them. */
export type Translated<Part> = { readonly [K in keyof Part]: Part[K] extends string ? string : Plural };

/** A language has all keys. */
export type Catalogue = Translated<English>;

type Names<Sentence> = Sentence extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
type NamesOf<K extends Key> = English[K] extends string ? Names<English[K]> : Names<English[K][keyof English[K]]>;
type Values<K extends Key> = { readonly [N in NamesOf<K>]: N extends "count" ? number : string | number };

/** Nothing to fill in, nothing to give. */
type Given<K extends Key> = [NamesOf<K>] extends [never] ? [] : [values: Values<K>];

export type Translate = <K extends Key>(key: K, ...given: Given<K>) => string;

export function translator(language: string, catalogue: Catalogue): Translate {
  const plurals = new Intl.PluralRules(language);
  const numbers = new Intl.NumberFormat(language);
  return (key, ...given) => {
    const values: Readonly<Record<string, string | number>> = given[0] ?? {};
    const entry: string | Plural = catalogue[key];
    const sentence =
      typeof entry === "string" ? entry : (entry[plurals.select(Number(values["count"] ?? 0))] ?? entry.other);
    return sentence.replace(/\{(\w+)\}/g, (hole, name: string) => {
      const value = values[name];
      return value === undefined ? hole : typeof value === "number" ? numbers.format(value) : value;
    });
  };
}
