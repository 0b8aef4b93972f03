import type { Translated } from "../catalogue.ts";
import type { shell as english } from "../en/shell.ts";

export const shell: Translated<typeof english> = {
  "shell.close": "Schließen",
  "shell.loading": "Wird geladen …",
  "shell.notLoaded":
    "Dieser Teil der Seite konnte nicht geladen werden. Das Gateway ist vielleicht nicht da oder hat inzwischen eine neuere Seite. Geschriebenes bleibt erhalten.",
  "shell.failed": "Auf dieser Seite ist etwas schiefgegangen.",
  "shell.failedHint": "Das ist ein Fehler der Seite selbst. Geschriebenes bleibt erhalten; Neuladen hilft meistens.",
  "shell.reload": "Seite neu laden",
  "shell.skip": "Zur Unterhaltung springen",
  "shell.openSidebar": "Chats zeigen",
  "shell.closeSidebar": "Chats ausblenden",
  "shell.palette": "Befehle",
  "shell.notFound": "Diese Seite gibt es nicht.",
  "shell.toChats": "Zu den Chats",
  "shell.cancel": "Abbrechen",
  "shell.copied": "Kopiert",
  "shell.copy": "Kopieren",
  "shell.copyThis": "Kopieren: {what}",
  "shell.notCopied": "Dieser Browser hat das Kopieren nicht erlaubt. Markiere es und kopiere es von Hand.",
  "shell.undo": "Rückgängig",
  "shell.dismiss": "Ausblenden",
  "shell.announcements": "Ansagen",
};
