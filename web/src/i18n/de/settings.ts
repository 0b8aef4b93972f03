import type { Translated } from "../catalogue.ts";
import type { settings as english } from "../en/settings.ts";

const INSECURE =
  "Diese Seite kam über einfaches HTTP von einem anderen Rechner. Browser vertrauen nur Seiten über TLS oder vom Rechner selbst: Starte das Gateway mit `--tls-cert` und `--tls-key` oder nimm `tailscale serve 8741` und öffne seine https-Adresse.";

export const settings: Translated<typeof english> = {
  "settings.title": "Einstellungen",
  "settings.back": "Zurück",
  "settings.section.appearance": "Aussehen",
  "settings.section.gateways": "Gateways",
  "settings.section.notifications": "Benachrichtigungen",
  "settings.section.approvals": "Erlaubnisse",
  "settings.section.about": "Über",
  "settings.theme": "Farben",
  "settings.theme.system": "Wie das System",
  "settings.theme.light": "Hell",
  "settings.theme.dark": "Dunkel",
  "settings.density": "Dichte",
  "settings.density.comfortable": "Bequem",
  "settings.density.compact": "Dicht",
  "settings.language": "Sprache",
  "settings.language.auto": "Wie der Browser",
  "settings.sendKey": "Was eine Nachricht sendet",
  "settings.sendWith": "{keys}",
  "settings.usage": "Tokens und Kosten zeigen",
  "settings.usageHint": "Unter jeder Antwort, wo der Agent sie nennt.",
  "settings.desktop": "Benachrichtigungen des Schreibtischs",
  "settings.desktopHint":
    "Während diese Seite im Hintergrund ist: was geschehen ist, fertige Antworten und Agenten, die auf ein Ja warten.",
  "settings.name": "Name",
  "settings.save": "Speichern",
  "settings.keep": "Behalten",
  "settings.isOpen": "jetzt offen",
  "settings.open": "Öffnen",
  "settings.openOf": "{name} öffnen",
  "settings.rename": "Umbenennen",
  "settings.renameOf": "{name} umbenennen",
  "settings.forget": "Vergessen",
  "settings.forgetOf": "{name} vergessen",
  "settings.forgetHint":
    "Dieser Browser vergisst sein Token, Entwürfe und noch nicht gesendete Nachrichten. Auf dem Gateway ändert sich nichts; sein Link öffnet es wieder.",
  "settings.forgetAll": "Alles in diesem Browser vergessen",
  "settings.forgetAllHint":
    "Alle Tokens, Entwürfe, noch nicht gesendeten Nachrichten und Einstellungen dieser Seite. Auf den Gateways ändert sich nichts.",
  "settings.addGateway": "Gateway hinzufügen",
  "settings.unreachable": "Wenn ein anderes Gateway von hier nicht zu erreichen ist",
  "settings.unreachableThere": "Jenes Gateway muss Seiten von hier einlassen. Dort:",
  "settings.unreachableHere":
    "Und das Gateway dieser Seite muss seine Seite dorthin lassen. Hier, mit der Adresse des anderen:",
  "settings.tokenKept": "Sein Token ist in diesem Browser verschlüsselt aufbewahrt.",
  "settings.tokenInWindow":
    "Das Token ist vergessen, wenn dieses Fenster schließt: Diese Seite kann es nicht verschlüsselt aufbewahren.",
  "settings.identity": "Identitätsschlüssel:",
  "settings.noIdentity":
    "Sein Identitätsschlüssel ist hier nicht bekannt. Öffne einmal seinen Link: Dann muss es sich ausweisen.",
  "settings.stands": "Wo diese Seite steht",
  "settings.good": "Gut:",
  "settings.mind": "Zu wissen:",
  "settings.endToEnd":
    "Was du und die Agenten sagen, ist von dieser Seite bis zum Gateway verschlüsselt, was auch dazwischen liegt.",
  "settings.proven": "Das Gateway hat sich ausgewiesen, mit dem Identitätsschlüssel aus seinem Link.",
  "settings.unproven":
    "Das Gateway hat sich nicht ausgewiesen, weil dieser Browser seinen Identitätsschlüssel nicht kennt. Öffne den Link, den das Gateway zeigt.",
  "settings.securePage": "Die Seite selbst kam auf einem Weg, auf dem sie niemand ändern konnte.",
  "settings.insecurePage":
    "Die Seite selbst kam über einfaches HTTP: Ein Angreifer auf dem Weg könnte sie geändert haben und damit alles, was sie tut. Nimm TLS oder ein privates Netz wie das von Tailscale.",
  "settings.filesPrivate": "Dateien reisen verschlüsselt.",
  "settings.filesPlain":
    "Dateien wären unterwegs für andere lesbar, darum fragt die Seite, bevor sie eine sendet oder holt.",
  "settings.draftsPlain":
    "Angefangenes und noch nicht gesendete Nachrichten liegen unverschlüsselt im Speicher dieses Browsers, bis sie gesendet sind.",
  "settings.install": "Als App",
  "settings.installNow": "Installieren",
  "settings.installed": "Sie läuft als App.",
  "settings.installHint":
    "Browser bieten es in ihrem eigenen Menü an: „Installieren“ in Chrome und Edge, „Zum Home-Bildschirm“ unter Teilen auf dem iPhone. Die Seite muss über TLS oder von diesem Rechner kommen.",
  "settings.versions": "Versionen",
  "settings.gatewayVersion": "Gateway {version}",
  "settings.apiDocs": "Die API des Gateways",
  "settings.licence": "MIT-Lizenz. Symbole von Lucide (ISC).",
  "settings.lack.more": "Wo diese Seite steht",
  "settings.lack.microphone.insecure_page": `Hier gibt es kein Mikrofon. ${INSECURE}`,
  "settings.lack.microphone.old_browser":
    "Dieser Browser kann nicht aufnehmen. Ein aktueller Firefox, Chrome, Edge oder Safari kann es.",
  "settings.lack.microphone.refused":
    "Das Mikrofon wurde verweigert. Erlaube es für diese Seite in den Einstellungen des Browsers, oft hinter dem Zeichen neben der Adresse.",
  "settings.lack.notifications.insecure_page": `Hier gibt es keine Benachrichtigungen des Schreibtischs. ${INSECURE}`,
  "settings.lack.notifications.old_browser":
    "Dieser Browser hat keine Benachrichtigungen für Seiten. Auf dem iPhone lege die Seite zuerst auf den Home-Bildschirm.",
  "settings.lack.notifications.refused":
    "Benachrichtigungen wurden verweigert. Erlaube sie für diese Seite in den Einstellungen des Browsers, oft hinter dem Zeichen neben der Adresse.",
  "settings.lack.serviceWorker.insecure_page": `Die Seite lässt sich nicht installieren und braucht das Gateway, um sich zu öffnen. ${INSECURE}`,
  "settings.lack.serviceWorker.old_browser":
    "Dieser Browser oder sein privates Fenster kann die Seite nicht für ohne Netz aufbewahren.",
  "settings.lack.serviceWorker.refused":
    "Die Einstellungen des Browsers lassen nicht zu, dass die Seite für ohne Netz aufbewahrt wird.",
  "settings.lack.encryptedToken.insecure_page": `Das Token ist vergessen, wenn das Fenster schließt. ${INSECURE}`,
  "settings.lack.encryptedToken.old_browser":
    "Dieser Browser kann nicht verschlüsseln, was er aufbewahrt; darum ist das Token vergessen, wenn das Fenster schließt.",
  "settings.lack.encryptedToken.refused": "Das Token ist vergessen, wenn das Fenster schließt.",
  "connect.title": "Mit deinem Gateway verbinden",
  "connect.what":
    "Deine Agenten laufen auf deinem Rechner. Der Link des Gateways öffnet den Weg zu ihnen, verschlüsselt von Ende zu Ende.",
  "connect.link": "Link des Gateways",
  "connect.linkHint": "`sygen serve` zeigt ihn beim Start und `sygen link` jederzeit.",
  "connect.token": "Token",
  "connect.tokenHint": "In dieser Adresse ist keines. Mit dem ganzen Link weist sich auch das Gateway aus.",
  "connect.connect": "Verbinden",
  "connect.known": "Gateways, die dieser Browser kennt",
  "connect.insecure":
    "Diese Seite kam über einfaches HTTP von einem anderen Rechner. Was du sagst, ist trotzdem verschlüsselt, aber ein Angreifer auf dem Weg könnte die Seite selbst geändert haben, und Browser geben ihr kein Mikrofon, keine Benachrichtigungen und keinen Platz, das Token verschlüsselt aufzubewahren. TLS oder `tailscale serve` behebt all das.",
};
