import type { Translated } from "../catalogue.ts";
import type { settings as english } from "../en/settings.ts";

const INSECURE =
  "Diese Seite kam über einfaches HTTP von einem anderen Rechner, und solchen Seiten trauen Browser wenig. Starte das Gateway mit TLS (`--tls-cert`, `--tls-key`) oder nimm `tailscale serve 8741` und öffne seine https-Adresse.";

export const settings: Translated<typeof english> = {
  "settings.title": "Einstellungen",
  "settings.back": "Zurück",
  "settings.section.appearance": "Aussehen",
  "settings.section.gateways": "Gateways",
  "settings.section.notifications": "Benachrichtigungen",
  "settings.section.approvals": "Erlaubnisse",
  "settings.section.about": "Über",
  "settings.needsGateway": "Öffne erst ein Gateway; was hier steht, gehört zu ihm.",

  "settings.theme": "Farben",
  "settings.theme.system": "Wie das System",
  "settings.theme.light": "Hell",
  "settings.theme.dark": "Dunkel",
  "settings.density": "Abstände",
  "settings.density.comfortable": "Bequem",
  "settings.density.compact": "Eng",
  "settings.language": "Sprache",
  "settings.language.auto": "Wie der Browser: {name}",
  "settings.sendKey": "Was eine Nachricht sendet",
  "settings.sendKey.hint": "Das andere beginnt eine neue Zeile.",
  "settings.usage": "Tokens und Kosten zeigen",
  "settings.usage.hint": "Unter jeder Antwort, wo der Agent sie nennt.",
  "settings.onlyHere": "Das alles bleibt in diesem Browser und wird niemandem gesendet.",

  "settings.gateway.current": "jetzt offen",
  "settings.gateway.open": "Öffnen",
  "settings.gateway.rename": "Umbenennen",
  "settings.gateway.renameThis": "{name} umbenennen",
  "settings.gateway.name": "Name",
  "settings.gateway.nameHint": "Wie du es in diesem Browser nennst.",
  "settings.gateway.noName": "Es braucht einen Namen.",
  "settings.gateway.save": "Speichern",
  "settings.gateway.forget": "Vergessen",
  "settings.gateway.forgetThis": "{name} vergessen",
  "settings.gateway.forgetTitle": "{name} vergessen?",
  "settings.gateway.forgetWords":
    "Das Token, die Entwürfe und noch nicht gesendete Nachrichten verschwinden aus diesem Browser. Auf dem Gateway ändert sich nichts. Zurück kommst du mit seinem Link.",
  "settings.gateway.forgotten": "{name} ist vergessen.",
  "settings.gateway.tokenKept": "Sein Token liegt verschlüsselt in diesem Browser.",
  "settings.gateway.tokenInWindow": "Sein Token ist weg, wenn dieses Fenster geschlossen wird.",
  "settings.gateway.identity": "Schlüssel der Identität:",
  "settings.gateway.noIdentity":
    "Der Schlüssel seiner Identität ist hier nicht bekannt. Öffne den Link, den `sygen link` zeigt: Dann muss es sich ausweisen.",
  "settings.gateway.none": "Dieser Browser kennt kein Gateway.",
  "settings.gateway.add": "Gateway hinzufügen",
  "settings.gateway.elsewhere": "Wenn es von dieser Seite aus nicht zu erreichen ist",
  "settings.gateway.elsewhereHint":
    "Diese Seite kam von {page}. Zwei Einstellungen lassen sie mit einem anderen Gateway sprechen. Steht in einer Liste schon etwas, dann ergänze sie. Starte danach beide Gateways neu.",
  "settings.gateway.there": "Auf {host}",
  "settings.gateway.here": "Auf {host}, woher diese Seite kam",

  "settings.forgetAll": "In diesem Browser alles vergessen",
  "settings.forgetAll.hint":
    "Tokens, Entwürfe, noch nicht gesendete Nachrichten, deine Einstellungen und die Kopie der Seite. Auf den Gateways ändert sich nichts.",
  "settings.forgetAll.title": "In diesem Browser alles vergessen?",
  "settings.forgetAll.words":
    "Alle Gateways, Entwürfe, noch nicht gesendeten Nachrichten und Einstellungen verschwinden, in allen Fenstern dieses Browsers. Zurück kommst du mit dem Link eines Gateways.",
  "settings.forgetAll.do": "Alles vergessen",

  "settings.desktop": "Benachrichtigungen des Schreibtischs",
  "settings.desktop.hint":
    "Solange kein Fenster dieser Seite zu sehen ist: was geschehen ist, fertige Antworten und Agenten, die auf ein Ja warten.",
  "settings.desktop.where":
    "Sie kommen, solange die Seite irgendwo in diesem Browser offen ist. Dieses Gerät macht sie selbst; kein Dienst im Internet ist beteiligt.",
  "settings.desktop.ignored":
    "Der Browser hat nicht gefragt, oder seine Frage wurde geschlossen. Versuche es noch einmal.",

  "settings.standing": "Wie es um diese Seite steht",
  "settings.standing.good": "Gut:",
  "settings.standing.note": "Gut zu wissen:",
  "settings.standing.warning": "Vorsicht:",
  "settings.standing.page": "Die Seite selbst",
  "settings.standing.page.tls": "Sie kam über TLS: Unterwegs konnte sie niemand ändern.",
  "settings.standing.page.machine": "Sie kam von diesem Rechner selbst: Da ist niemand unterwegs.",
  "settings.standing.page.plain":
    "Sie kam über einfaches HTTP von einem anderen Rechner. Was du sagst, ist trotzdem verschlüsselt, aber ein aktiver Angreifer auf dem Weg könnte die Seite ändern und damit alles, was sie tut. In einem Netz, das selbst verschlüsselt ist, wie dem von Tailscale, kann das nicht geschehen. Browser geben der Seite kein Mikrofon, keine Benachrichtigungen und keinen Platz unter den Apps.",
  "settings.standing.words": "Was du und die Agenten sagen",
  "settings.standing.words.sealed":
    "Es ist zwischen dieser Seite und dem Gateway verschlüsselt, mit neuen Schlüsseln für jede Verbindung, was auch immer dazwischen liegt.",
  "settings.standing.identity": "Wer das Gateway ist",
  "settings.standing.identity.known":
    "Dieser Browser kennt den Schlüssel seiner Identität: Damit ist das Token versiegelt, und bei jeder Verbindung beweist das Gateway, dass es die andere Hälfte hat.",
  "settings.standing.identity.private":
    "Sein Link hatte keinen Schlüssel seiner Identität, also vertraut dieser Browser der Adresse. Der Link, den `sygen link` zeigt, hat ihn.",
  "settings.standing.identity.open":
    "Sein Link hatte keinen Schlüssel seiner Identität: Wer auch immer unter dieser Adresse antwortet, dem wird geglaubt, und andere auf dem Weg könnten das Token lesen. Öffne den Link, den `sygen link` zeigt.",
  "settings.standing.files": "Dateien",
  "settings.standing.files.private":
    "Dateien, Bilder und Aufnahmen gehen über TLS oder verlassen diesen Rechner nicht.",
  "settings.standing.files.open":
    "Dateien, Bilder und Aufnahmen gehen über einfaches HTTP, lesbar für andere auf dem Weg. Die Seite fragt vorher.",
  "settings.standing.token": "Das Token",
  "settings.standing.token.kept":
    "Es liegt verschlüsselt hier, mit einem Schlüssel, den kein Skript auslesen kann. Wer diesen Browser benutzen kann, kann auch das Token benutzen.",
  "settings.standing.token.window": "Es bleibt, bis dieses Fenster geschlossen wird.",
  "settings.standing.stored": "Was dieser Browser speichert",
  "settings.standing.stored.some":
    "Entwürfe, noch nicht gesendete Nachrichten, Namen und Adressen von Gateways, deine Einstellungen und wie weit du gelesen hast, alles unverschlüsselt. Keine Chats.",
  "settings.standing.stored.little":
    "Nur deine Einstellungen und wie weit du gelesen hast: Dieser Browser gibt der Seite keine Datenbank. Entwürfe und noch nicht gesendete Nachrichten sind weg, wenn das Fenster geschlossen wird. Keine Chats.",
  "settings.secure": "Wie du eine sichere Seite bekommst",
  "settings.secure.tailscale":
    "Auf dem Rechner des Gateways, mit Tailscale. Öffne dann die https-Adresse, die es zeigt.",
  "settings.secure.tls": "Oder mit einem Zertifikat für seinen Namen. Öffne dann seine https-Adresse.",

  "settings.install": "Als App",
  "settings.install.hint":
    "Sie bekommt ein Symbol und ein eigenes Fenster und öffnet sich auch, während das Gateway nicht da ist.",
  "settings.install.do": "Installieren",
  "settings.install.done": "Das ist die installierte App.",
  "settings.install.ios":
    "Auf einem iPhone oder iPad: in Safari „Teilen“, dann „Zum Home-Bildschirm“. Die App fragt einmal nach dem Link des Gateways.",
  "settings.install.mac": "In Safari auf einem Mac: „Ablage“, dann „Zum Dock hinzufügen“.",
  "settings.install.firefox":
    "Firefox installiert Seiten auf Android und Windows, im Menü oder mit dem Zeichen in der Adressleiste. Anderswo tun es Chrome, Edge und Safari.",
  "settings.install.menu":
    "Suche „Installieren“ oder „Zum Startbildschirm hinzufügen“ im Menü des Browsers oder in der Adressleiste. Chrome und Edge haben es.",

  "settings.versions": "Versionen",
  "settings.version.page": "Diese Seite",
  "settings.version.gateway": "Das Gateway",
  "settings.version.unknown": "gerade nicht bekannt",
  "settings.version.differs":
    "Die Seite hat eine andere Version als das Gateway. Lade sie neu, wenn sie von diesem Gateway kam.",
  "settings.docs": "Die API des Gateways",
  "settings.docs.hint": "fragt nach dem Token",
  "settings.licences": "Was eingebaut ist, und seine Lizenzen",
  "settings.licence": "Sygen selbst hat die MIT-Lizenz",

  "settings.lack.more": "Wie es um diese Seite steht",
  "settings.lack.microphone.insecure_page": `Hier gibt es kein Mikrofon. ${INSECURE}`,
  "settings.lack.microphone.old_browser":
    "Dieser Browser kann nicht aufnehmen. Ein aktueller Firefox, Chrome, Edge oder Safari kann es.",
  "settings.lack.microphone.refused":
    "Das Mikrofon wurde abgelehnt. Erlaube es für diese Seite in den Einstellungen des Browsers, oft hinter dem Zeichen neben der Adresse.",
  "settings.lack.notifications.insecure_page": `Hier gibt es keine Benachrichtigungen des Schreibtischs. ${INSECURE}`,
  "settings.lack.notifications.old_browser":
    "Dieser Browser zeigt keine Benachrichtigungen von Seiten. Lege die Seite auf einem iPhone oder iPad erst auf den Home-Bildschirm und öffne sie dort.",
  "settings.lack.notifications.refused":
    "Benachrichtigungen wurden abgelehnt. Erlaube sie für diese Seite in den Einstellungen des Browsers, oft hinter dem Zeichen neben der Adresse, und lade die Seite neu.",
  "settings.lack.serviceWorker.insecure_page": `Die Seite lässt sich hier nicht installieren und braucht zum Öffnen das Gateway. ${INSECURE}`,
  "settings.lack.serviceWorker.old_browser":
    "Dieser Browser oder sein privates Fenster bewahrt keine Kopie der Seite auf: Sie lässt sich hier nicht installieren und braucht zum Öffnen das Gateway.",
  "settings.lack.serviceWorker.refused":
    "Die Einstellungen des Browsers lassen diese Seite keine Kopie von sich aufbewahren.",
  "settings.lack.encryptedToken.insecure_page": `Das Token ist weg, wenn das Fenster geschlossen wird. ${INSECURE}`,
  "settings.lack.encryptedToken.old_browser":
    "Dieser Browser kann nicht verschlüsseln, was er aufbewahrt; das Token ist weg, wenn das Fenster geschlossen wird.",
  "settings.lack.encryptedToken.refused":
    "Dieser Browser bewahrt für diese Seite nichts auf, wie in einem privaten Fenster; das Token ist weg, wenn das Fenster geschlossen wird.",

  "connect.title": "Verbinde dich mit deinem Gateway",
  "connect.lead":
    "Deine Agenten laufen auf deinem Rechner. Der Link des Gateways öffnet den Weg zu ihnen, von Ende zu Ende verschlüsselt.",
  "connect.link": "Link des Gateways",
  "connect.linkHint": "Die ganze Zeile, mit dem, was nach dem # steht.",
  "connect.token": "Token",
  "connect.tokenHint": "In dieser Adresse steht keines. Mit dem Link von `sygen link` weist sich das Gateway auch aus.",
  "connect.noToken": "Das Token fehlt.",
  "connect.paste": "Einfügen",
  "connect.pasteRefused":
    "Der Browser lässt diese Seite die Zwischenablage nicht lesen. Füge es mit Tastatur oder Menü ein.",
  "connect.do": "Verbinden",
  "connect.known": "Gateways, die dieser Browser kennt",
  "connect.openThis": "{name} öffnen",
  "connect.how": "Wo der Link ist",
  "connect.how.serve": "`sygen serve` startet das Gateway und zeigt ihn.",
  "connect.how.link": "`sygen link` zeigt ihn jederzeit, `sygen link --qr` als Code für die Kamera eines Telefons.",
  "connect.how.secret": "Wer den Link hat, hat das Gateway: Das Token steht darin.",
  "connect.blocked": "Der Browser lässt diese Seite nicht mit {host} sprechen.",
  "connect.howBlocked": "Was tun",

  "pwa.newVersion": "Eine neue Version der Seite ist da.",
  "pwa.reload": "Neu laden",
};
