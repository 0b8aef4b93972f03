/** How well a name fits what is typed: pure. */

import { folded } from "../sidebar/groups.ts";

/** 0 for what does not fit. A name that begins with it comes first, then one with a word that does, one that holds it, one that has its letters in order. */
export function fit(name: string, typed: string): number {
  const [text, wanted] = [folded(name), folded(typed).trim()];
  if (wanted === "") return 1;
  if (text.startsWith(wanted)) return 5;
  if (new RegExp(`(?:^|[^\\p{L}\\p{N}])${wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`, "u").test(text)) return 4;
  if (text.includes(wanted)) return 3;
  if (wanted.split(/\s+/).every((word) => text.includes(word))) return 2;
  let at = -1;
  for (const sign of wanted.replace(/\s/g, "")) {
    at = text.indexOf(sign, at + 1);
    if (at < 0) return 0;
  }
  return 1;
}

export function best<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
  typed: string,
  most: number,
): Item[] {
  return items
    .map((item, place) => ({ item, place, score: fit(nameOf(item), typed) }))
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score || one.place - other.place)
    .slice(0, most)
    .map(({ item }) => item);
}
