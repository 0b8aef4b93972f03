const INSECURE =
  "This page came over plain HTTP from another machine, and browsers trust such pages with little. Run the gateway with TLS (`--tls-cert`, `--tls-key`) or `tailscale serve 8741`, and open its https address.";

export const settings = {
  "settings.title": "Settings",
  "settings.back": "Back",
  "settings.section.appearance": "Appearance",
  "settings.section.gateways": "Gateways",
  "settings.section.notifications": "Notifications",
  "settings.section.approvals": "Approvals",
  "settings.section.about": "About",
  "settings.needsGateway": "Open a gateway first; what is here belongs to it.",

  "settings.theme": "Theme",
  "settings.theme.system": "As the system",
  "settings.theme.light": "Light",
  "settings.theme.dark": "Dark",
  "settings.density": "Density",
  "settings.density.comfortable": "Comfortable",
  "settings.density.compact": "Compact",
  "settings.language": "Language",
  "settings.language.auto": "As the browser: {name}",
  "settings.sendKey": "What sends a message",
  "settings.sendKey.hint": "The other one begins a new line.",
  "settings.usage": "Show tokens and costs",
  "settings.usage.hint": "Under each answer, where the agent tells them.",
  "settings.onlyHere": "These choices are kept in this browser and sent to nobody.",

  "settings.gateway.current": "open now",
  "settings.gateway.open": "Open",
  "settings.gateway.rename": "Rename",
  "settings.gateway.renameThis": "Rename {name}",
  "settings.gateway.name": "Name",
  "settings.gateway.nameHint": "What you call it in this browser.",
  "settings.gateway.noName": "It needs a name.",
  "settings.gateway.save": "Save",
  "settings.gateway.forget": "Forget",
  "settings.gateway.forgetThis": "Forget {name}",
  "settings.gateway.forgetTitle": "Forget {name}?",
  "settings.gateway.forgetWords":
    "Its token, its drafts, and messages that wait to be sent go from this browser. On the gateway nothing changes. To come back you need its link.",
  "settings.gateway.forgotten": "{name} is forgotten.",
  "settings.gateway.tokenKept": "Its token is kept encrypted in this browser.",
  "settings.gateway.tokenInWindow": "Its token is gone when this window closes.",
  "settings.gateway.identity": "Identity key:",
  "settings.gateway.noIdentity":
    "Its identity key is not known here. Open the link that `sygen link` prints, and it has to prove who it is.",
  "settings.gateway.none": "This browser knows no gateway.",
  "settings.gateway.add": "Add a gateway",
  "settings.gateway.elsewhere": "If it cannot be reached from this page",
  "settings.gateway.elsewhereHint":
    "This page came from {page}. Two settings let it talk to another gateway. If a list has something in it already, add to it. Then restart both gateways.",
  "settings.gateway.there": "On {host}",
  "settings.gateway.here": "On {host}, where this page came from",

  "settings.forgetAll": "Forget everything in this browser",
  "settings.forgetAll.hint":
    "Tokens, drafts, messages that wait to be sent, your choices, and the copy of the page. On the gateways nothing changes.",
  "settings.forgetAll.title": "Forget everything in this browser?",
  "settings.forgetAll.words":
    "All gateways, drafts, messages that wait to be sent, and choices go, in all windows of this browser. To come back you need a gateway’s link.",
  "settings.forgetAll.do": "Forget everything",

  "settings.desktop": "Notifications of the desktop",
  "settings.desktop.hint":
    "While no window of this page is in sight: what happened, answers that are done, and agents that wait for a yes.",
  "settings.desktop.where":
    "They come as long as the page is open somewhere in this browser. This device makes them itself; no service on the Internet takes part.",
  "settings.desktop.ignored": "The browser did not ask, or its question was closed. Try again.",

  "settings.standing": "Where this page stands",
  "settings.standing.good": "Good:",
  "settings.standing.note": "To know:",
  "settings.standing.warning": "Careful:",
  "settings.standing.page": "The page itself",
  "settings.standing.page.tls": "It came over TLS: nobody on the way could change it.",
  "settings.standing.page.machine": "It came from this very machine: there is nobody on the way.",
  "settings.standing.page.plain":
    "It came over plain HTTP from another machine. What you say is encrypted all the same, but an active attacker on the way could change the page, and with it everything that it does. In a network that is encrypted itself, such as Tailscale’s, that cannot happen. Browsers give the page no microphone, no notifications, and no place among the apps.",
  "settings.standing.words": "What you and the agents say",
  "settings.standing.words.sealed":
    "It is encrypted between this page and the gateway, with new keys for each connection, whatever lies between them.",
  "settings.standing.identity": "Who the gateway is",
  "settings.standing.identity.known":
    "This browser knows its identity key: the token is sealed with it, and at each connection the gateway proves that it holds the other half.",
  "settings.standing.identity.private":
    "Its link had no identity key, so this browser trusts the address. The link that `sygen link` prints has the key.",
  "settings.standing.identity.open":
    "Its link had no identity key: whoever answers at this address is believed, and others on the way could read the token. Open the link that `sygen link` prints.",
  "settings.standing.files": "Files",
  "settings.standing.files.private": "Files, pictures and recordings travel over TLS, or do not leave this machine.",
  "settings.standing.files.open":
    "Files, pictures and recordings travel over plain HTTP, readable for others on the way. The page asks before it does that.",
  "settings.standing.token": "The token",
  "settings.standing.token.kept":
    "It is kept encrypted, under a key that no script can read out. Who can use this browser can use it, too.",
  "settings.standing.token.window": "It is kept until this window closes.",
  "settings.standing.stored": "What this browser stores",
  "settings.standing.stored.some":
    "Drafts, messages that wait to be sent, names and addresses of gateways, your choices, and how far you have read, all of it not encrypted. No chats.",
  "settings.standing.stored.little":
    "Only your choices, and how far you have read: this browser gives the page no database. Drafts and messages that wait are lost when the window closes. No chats.",
  "settings.secure": "How to get a secure page",
  "settings.secure.tailscale": "On the gateway’s machine, with Tailscale. Then open the https address that it prints.",
  "settings.secure.tls": "Or with a certificate for its name. Then open its https address.",

  "settings.install": "As an app",
  "settings.install.hint": "It gets an icon and a window of its own, and opens also while the gateway is away.",
  "settings.install.do": "Install",
  "settings.install.done": "This is the installed app.",
  "settings.install.ios":
    "On an iPhone or iPad: “Share” in Safari, then “Add to Home Screen”. The app asks for the gateway’s link once.",
  "settings.install.mac": "In Safari on a Mac: “File”, then “Add to Dock”.",
  "settings.install.firefox":
    "Firefox installs pages on Android and Windows, by its menu or the sign in the address bar. Elsewhere Chrome, Edge and Safari do.",
  "settings.install.menu":
    "Look for “Install” or “Add to Home screen” in the browser’s menu or in the address bar. Chrome and Edge have it.",

  "settings.versions": "Versions",
  "settings.version.page": "This page",
  "settings.version.gateway": "The gateway",
  "settings.version.unknown": "not known now",
  "settings.version.differs": "The page is of another version than the gateway. Reload it, if this gateway gave it.",
  "settings.docs": "The gateway’s API",
  "settings.docs.hint": "asks for the token",
  "settings.licences": "What is built in, and its licences",
  "settings.licence": "Sygen itself has the MIT licence",

  "settings.lack.more": "Where this page stands",
  "settings.lack.microphone.insecure_page": `There is no microphone here. ${INSECURE}`,
  "settings.lack.microphone.old_browser": "This browser cannot record. A current Firefox, Chrome, Edge or Safari can.",
  "settings.lack.microphone.refused":
    "The microphone was refused. Allow it for this page in the browser’s settings, often behind the sign beside the address.",
  "settings.lack.notifications.insecure_page": `There are no notifications of the desktop here. ${INSECURE}`,
  "settings.lack.notifications.old_browser":
    "This browser shows no notifications of pages. On an iPhone or iPad, put the page on the Home Screen first, and open it there.",
  "settings.lack.notifications.refused":
    "Notifications were refused. Allow them for this page in the browser’s settings, often behind the sign beside the address, and reload the page.",
  "settings.lack.serviceWorker.insecure_page": `The page cannot be installed here, and needs the gateway to open. ${INSECURE}`,
  "settings.lack.serviceWorker.old_browser":
    "This browser, or its private window, keeps no copy of the page: it cannot be installed here, and needs the gateway to open.",
  "settings.lack.serviceWorker.refused": "The browser’s settings do not let this page keep a copy of itself.",
  "settings.lack.encryptedToken.insecure_page": `The token is forgotten when the window closes. ${INSECURE}`,
  "settings.lack.encryptedToken.old_browser":
    "This browser cannot encrypt what it keeps, so the token is forgotten when the window closes.",
  "settings.lack.encryptedToken.refused":
    "This browser keeps nothing for this page, as in a private window, so the token is forgotten when the window closes.",

  "connect.title": "Connect to your gateway",
  "connect.lead":
    "Your agents run on your machine. The gateway’s link opens the way to them, encrypted from end to end.",
  "connect.link": "The gateway’s link",
  "connect.linkHint": "The whole line, with what follows the #.",
  "connect.token": "Token",
  "connect.tokenHint": "This address has none in it. With the link of `sygen link` the gateway also proves who it is.",
  "connect.noToken": "The token is missing.",
  "connect.paste": "Paste",
  "connect.pasteRefused": "The browser does not let this page read the clipboard. Paste it by keyboard or menu.",
  "connect.do": "Connect",
  "connect.known": "Gateways that this browser knows",
  "connect.openThis": "Open {name}",
  "connect.how": "Where the link is",
  "connect.how.serve": "`sygen serve` starts the gateway and prints it.",
  "connect.how.link": "`sygen link` prints it at any time, `sygen link --qr` as a code for the camera of a phone.",
  "connect.how.secret": "Whoever has the link has the gateway: the token is in it.",
  "connect.blocked": "The browser does not let this page talk to {host}.",
  "connect.howBlocked": "What to do",

  "pwa.newVersion": "A new version of the page is there.",
  "pwa.reload": "Reload",
} as const;
