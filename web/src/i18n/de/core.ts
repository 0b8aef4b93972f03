import type { Translated } from "../catalogue.ts";
import type { core as english } from "../en/core.ts";

export const core: Translated<typeof english> = {
  "app.name": "Sygen",

  "connection.connecting": "Verbindung wird aufgebaut …",
  "connection.reconnecting": "Verbindung wird wiederhergestellt …",
  "connection.retryIn": {
    one: "Nächster Versuch in {count} Sekunde.",
    other: "Nächster Versuch in {count} Sekunden.",
  },
  "connection.retryNow": "Jetzt versuchen",

  "offline.no_network": "Dieses Gerät hat kein Netz. Was du schreibst, wird gesendet, sobald es wieder da ist.",
  "offline.unreachable":
    "Das Gateway antwortet nicht. Läuft es, und lässt es Seiten von dieser Adresse zu? Es wird von selbst wieder versucht.",
  "offline.line_lost":
    "Die Verbindung ist abgebrochen. Sie kommt von selbst zurück, und nichts Geschriebenes geht verloren.",
  "offline.gateway_restarting": "Das Gateway startet neu.",
  "offline.gateway_busy": "Das Gateway kann gerade keine Verbindung annehmen. Gleich wird es wieder versucht.",
  "offline.gateway_failed":
    "Das Gateway hatte einen Fehler und hat die Verbindung geschlossen. Es wird wieder versucht.",
  "offline.protocol_trouble":
    "Was über die Verbindung kam, stammt nicht von diesem Gateway oder wurde unterwegs verändert. Sie wurde geschlossen; es wird wieder versucht.",
  "offline.no_answer": "Unter dieser Adresse antwortet jemand, aber nicht rechtzeitig. Es wird wieder versucht.",

  "refused.wrong_token":
    "Das Gateway nimmt dieses Token nicht an, oder es ist ein anderes als das, für das der Link gemacht wurde. Öffne den Link, den es jetzt zeigt.",
  "refused.wrong_server":
    "Wer unter dieser Adresse antwortet, ist nicht das Gateway, das du kennst: Es kann sich nicht ausweisen. Es wurde nichts gesendet. Wenn du das Gateway neu eingerichtet hast, öffne seinen neuen Link.",
  "refused.insecure_page":
    "Diese Seite kam über TLS, und Browser lassen sie nicht mit einem Gateway ohne TLS sprechen. Öffne die Adresse des Gateways selbst oder gib ihm ein Zertifikat.",
  "refused.bad_address": "Das ist keine Adresse eines Gateways.",
  "refused.session_deleted": "Dieser Chat wurde gelöscht.",

  "error.bad_link":
    "Das ist kein Link zu einem Gateway. Er beginnt mit http:// oder https:// und hat nach dem # ein Token.",
  "error.bad_request":
    "Das Gateway hat die Anfrage dieser Seite nicht verstanden. Lade sie neu; vielleicht ist sie veraltet.",
  "error.busy": "In diesem Chat warten schon zu viele Nachrichten. Sie wird gesendet, sobald Platz ist.",
  "error.cancelled": "Abgebrochen.",
  "error.conflict": "Das geht gerade nicht: Jemand war schneller, oder es ist schon getan.",
  "error.connection_lost": "Die Verbindung brach ab, bevor die Antwort kam. Es kann trotzdem getan sein.",
  "error.credentials_lost":
    "Das Token dieses Gateways ist in diesem Browser nicht mehr lesbar. Öffne den Link des Gateways noch einmal.",
  "error.decrypt_failed": "Das Gateway konnte das Gesendete nicht entschlüsseln. Lade die Seite neu.",
  "error.empty": "Diese Nachricht ist leer.",
  "error.forbidden": "Das Gateway erlaubt das nicht.",
  "error.internal_error": "Das Gateway hatte damit ein Problem. Sein Protokoll sagt mehr.",
  "error.invalid": "Das Gateway nimmt diesen Wert nicht an.",
  "error.invalid_answer":
    "Diese Seite versteht die Antwort des Gateways nicht. Lade sie neu; vielleicht passen die Versionen nicht zusammen.",
  "error.no_handler": "Dieses Gateway hat niemanden, der Nachrichten annimmt.",
  "error.not_found": "Das gibt es nicht mehr.",
  "error.not_private":
    "Dateien wären auf dem Weg zu dieser Adresse für andere lesbar. Nutze das Gateway über TLS oder über ein privates Netz wie Tailscale.",
  "error.provider_unavailable": "Der Agent kann gerade nicht antworten.",
  "error.range_not_satisfiable": "Die Datei hat sich inzwischen geändert. Öffne sie noch einmal.",
  "error.rate_limited": "Das war zu viel auf einmal. Versuche es gleich noch einmal.",
  "error.session_deleted": "Dieser Chat wurde gelöscht.",
  "error.storage_failed":
    "Dieser Browser bewahrt für diese Seite nichts auf. Was du schreibst, ist verloren, wenn du sie vor dem Senden schließt.",
  "error.storage_full":
    "Der Speicher dieses Browsers ist voll. Was du schreibst, ist verloren, wenn du die Seite vor dem Senden schließt; schaffe etwas Platz.",
  "error.timed_out": "Es kam rechtzeitig keine Antwort. Versuche es noch einmal.",
  "error.too_large": "Das ist größer, als das Gateway annimmt.",
  "error.too_late": "Das ist schon beantwortet oder wird nicht mehr gebraucht.",
  "error.transcription_failed": "Aus der Aufnahme ließ sich kein Text machen.",
  "error.unauthorized": "Das Gateway nimmt dieses Token nicht an. Öffne seinen Link noch einmal.",
  "error.unavailable": "Das Gateway kann das gerade nicht speichern. Versuche es gleich noch einmal.",
  "error.unknown_type": "Das Gateway ist dafür zu alt. Aktualisiere es.",
  "error.unsupported_media": "Diese Art von Datei nimmt das Gateway nicht an.",

  "turn.queued": "Wartet, bis er dran ist",
  "turn.running": "Arbeitet",
  "turn.done": "Fertig",
  "turn.failed": "Keine Antwort",
  "turn.aborted": "Gestoppt",
  "turn.interrupted": "Unterbrochen",
  "reason.abort": "Du hast das gestoppt.",
  "reason.interrupted": "Das Gateway hörte mitten in dieser Antwort auf.",
  "reason.shutdown": "Das Gateway wurde heruntergefahren.",
  "reason.timeout": "Das dauerte länger, als das Gateway erlaubt.",
  "reason.answer_too_large": "Diese Antwort wurde größer, als das Gateway erlaubt.",
  "reason.other": "Das wurde gestoppt.",

  "outgoing.waiting": "Noch nicht gesendet",
  "outgoing.sending": "Wird gesendet …",
  "outgoing.failed": "Nicht gesendet",
  "outgoing.notKept": "Noch nicht gesendet und von diesem Browser nicht aufbewahrt",
};
