import type { Translated } from "../catalogue.ts";
import type { markdown as english } from "../en/markdown.ts";

export const markdown: Translated<typeof english> = {
  "markdown.code": "Code",
  "markdown.codeIn": "Code in {language}",
  "markdown.copy": "Code kopieren",
  "markdown.copied": "Kopiert",
  "markdown.wrap": "Lange Zeilen umbrechen",
  "markdown.table": "Tabelle",
  "markdown.image": "Bild: {name}",
  "markdown.done": "Erledigt",
  "markdown.toDo": "Zu tun",
};
