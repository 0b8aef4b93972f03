/** The colour that devices paint around the page. It follows the system in the page's HTML, and here the theme that was chosen. */

import { effect } from "@preact/signals";
import { theme } from "./preferences.ts";

export function followThemeColour(page: Document): void {
  const metas = [...page.querySelectorAll<HTMLMetaElement>("meta[name=theme-color]")];
  const own = metas.map(({ content }) => content);
  const colours = new Map(metas.map(({ media, content }) => [media.includes("dark") ? "dark" : "light", content]));
  effect(() => {
    for (const [at, meta] of metas.entries()) meta.content = colours.get(theme.value) ?? own[at] ?? "";
  });
}
