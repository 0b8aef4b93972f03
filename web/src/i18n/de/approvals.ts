import type { Translated } from "../catalogue.ts";
import type { approvals as english } from "../en/approvals.ts";

export const approvals: Translated<typeof english> = {
  "approval.allow_once": "Einmal erlauben",
  "approval.allow_always": "Genau das immer erlauben",
  "approval.deny": "Ablehnen",
  "approval.expired": "Niemand hat rechtzeitig geantwortet",
  "approval.cancelled": "Wird nicht mehr gebraucht",
  "approval.waiting": { one: "Eine Sache wartet auf deine Antwort", other: "{count} Sachen warten auf deine Antwort" },

  "approvals.title": "{agent} möchte {tool} benutzen",
  "approvals.here": "Wartet auf deine Antwort",
  "approvals.asked": "{agent} möchte {tool} benutzen: {summary}",
  "approvals.soonOver": "Noch eine Minute für deine Antwort: {agent} möchte {tool} benutzen: {summary}",
  "approvals.goTo": "Zu dem, was auf deine Antwort wartet",
  "approvals.input": "Eingabe",
  "approvals.lines": { one: "1 Zeile", other: "{count} Zeilen" },
  "approvals.characters": { one: "1 Zeichen", other: "{count} Zeichen" },
  "approvals.truncated":
    "Das ist zu lang, um es hier zu zeigen: Du siehst nur den Anfang. Wenn du den Rest nicht kennst, lehne es ab.",
  "approvals.always.command": "„Immer“ lässt diesen Agenten genau diesen Befehl ohne Frage ausführen.",
  "approvals.always.file":
    "„Immer“ lässt diesen Agenten dieses Werkzeug ohne Frage auf genau diese Datei anwenden, was auch hineingeschrieben wird.",
  "approvals.always.host":
    "„Immer“ lässt diesen Agenten dieses Werkzeug ohne Frage auf genau diesen Host anwenden, welche Seite auch immer:",
  "approvals.always.input":
    "„Immer“ lässt diesen Agenten dieses Werkzeug mit genau dieser Eingabe ohne Frage benutzen.",
  "approvals.always.other": "„Immer“ lässt diesen Agenten dieses Werkzeug ohne Frage benutzen, für genau das:",
  "approvals.timeLeft": "Zeit für die Antwort:",
  "approvals.timeHint": "Wenn die Zeit um ist, ist die Antwort Nein.",
  "approvals.unsure":
    "Die Verbindung ging verloren, bevor klar war, ob deine Antwort zählt. Es steht hier, sobald sie wieder da ist.",
  "approvals.allow_once": "Einmal erlaubt",
  "approvals.allow_once.on": "Einmal erlaubt auf {device}",
  "approvals.allow_once.from": "Einmal erlaubt von {device}",
  "approvals.allow_always": "Immer erlaubt",
  "approvals.allow_always.on": "Immer erlaubt auf {device}",
  "approvals.allow_always.from": "Immer erlaubt von {device}",
  "approvals.deny": "Abgelehnt",
  "approvals.deny.on": "Abgelehnt auf {device}",
  "approvals.deny.from": "Abgelehnt von {device}",
  "approvals.byRule": "Durch eine Regel erlaubt",
  "approvals.inChat": "Im Chat „{title}“",
  "approvals.inTask": "In der Aufgabe „{title}“",
  "approvals.inBackground": "Im Hintergrund",
  "approvals.untitled": "Ohne Titel",

  "approvals.rules": "Immer erlaubt",
  "approvals.rulesHint":
    "Wofür du „immer“ gewählt hast, läuft ohne Frage. Jede Regel gilt für einen Agenten, ein Werkzeug und genau einen Befehl, eine Datei, einen Host oder eine Eingabe.",
  "approvals.noRules": "Es gibt keine Regel: Jeder Agent fragt jedes Mal.",
  "approvals.rule": "{agent} darf {tool} benutzen für genau:",
  "approvals.ruleMadeBy": "Gemacht auf {device}, {when}",
  "approvals.ruleMade": "Gemacht {when}",
  "approvals.revoke": "Zurücknehmen",
  "approvals.revokeThis": "Die Regel für {tool} zurücknehmen: {pattern}",
  "approvals.revoked": "Die Regel ist zurückgenommen. Ab jetzt fragt der Agent wieder.",
  "approvals.history": "Was gefragt wurde",
  "approvals.historyHint": "Bleibt ein Jahr, auch wenn die Unterhaltung gelöscht wird.",
  "approvals.noHistory": "Noch hat kein Agent um etwas gefragt.",
  "approvals.stillWaiting": "Wartet",
  "approvals.more": "Frühere zeigen",
  "approvals.tryAgain": "Noch einmal versuchen",
};
