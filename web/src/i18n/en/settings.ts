const INSECURE =
  "This page came over plain HTTP from another machine. Browsers trust only pages over TLS, or from the machine itself: run the gateway with `--tls-cert` and `--tls-key`, or `tailscale serve 8741`, and open its https address.";

export const settings = {
  "settings.title": "Settings",
  "settings.back": "Back",
  "settings.section.appearance": "Appearance",
  "settings.section.gateways": "Gateways",
  "settings.section.notifications": "Notifications",
  "settings.section.approvals": "Approvals",
  "settings.section.about": "About",
  "settings.theme": "Theme",
  "settings.theme.system": "As the system",
  "settings.theme.light": "Light",
  "settings.theme.dark": "Dark",
  "settings.density": "Density",
  "settings.density.comfortable": "Comfortable",
  "settings.density.compact": "Compact",
  "settings.language": "Language",
  "settings.language.auto": "As the browser",
  "settings.sendKey": "What sends a message",
  "settings.sendWith": "{keys}",
  "settings.usage": "Show tokens and costs",
  "settings.usageHint": "Under each answer, where the agent tells them.",
  "settings.desktop": "Notifications of the desktop",
  "settings.desktopHint":
    "While this page is in the background: what happened, answers that are done, and agents that wait for a yes.",
  "settings.name": "Name",
  "settings.save": "Save",
  "settings.keep": "Keep it",
  "settings.isOpen": "open now",
  "settings.open": "Open",
  "settings.openOf": "Open {name}",
  "settings.rename": "Rename",
  "settings.renameOf": "Rename {name}",
  "settings.forget": "Forget",
  "settings.forgetOf": "Forget {name}",
  "settings.forgetHint":
    "This browser forgets its token, drafts, and messages that were not sent yet. On the gateway nothing changes; its link opens it again.",
  "settings.forgetAll": "Forget everything in this browser",
  "settings.forgetAllHint":
    "All tokens, drafts, messages that were not sent yet, and settings of this page. On the gateways nothing changes.",
  "settings.addGateway": "Add a gateway",
  "settings.unreachable": "If another gateway cannot be reached from here",
  "settings.unreachableThere": "That gateway has to let pages from here in. There:",
  "settings.unreachableHere":
    "And this page’s gateway has to let its page go there. Here, with the address of the other one:",
  "settings.tokenKept": "Its token is kept encrypted in this browser.",
  "settings.tokenInWindow": "The token is forgotten when this window closes: this page cannot keep it encrypted.",
  "settings.identity": "Identity key:",
  "settings.noIdentity": "Its identity key is not known here. Open its link once: then it has to prove who it is.",
  "settings.stands": "Where this page stands",
  "settings.good": "Good:",
  "settings.mind": "To know:",
  "settings.endToEnd":
    "What you and the agents say is encrypted from this page to the gateway, whatever lies between them.",
  "settings.proven": "The gateway has proved who it is, with the identity key of its link.",
  "settings.unproven":
    "The gateway has not proved who it is, because this browser does not know its identity key. Open the link that the gateway prints.",
  "settings.securePage": "The page itself came over a way that nobody could change it on.",
  "settings.insecurePage":
    "The page itself came over plain HTTP: an attacker on the way could have changed it, and with it everything that it does. Use TLS, or a private network such as Tailscale’s.",
  "settings.filesPrivate": "Files travel encrypted.",
  "settings.filesPlain":
    "Files would travel readable for others on the way, so the page asks before it sends or fetches one.",
  "settings.draftsPlain":
    "What you have begun to type, and messages that were not sent yet, lie unencrypted in this browser’s storage until they are sent.",
  "settings.install": "As an app",
  "settings.installNow": "Install",
  "settings.installed": "It runs as an app.",
  "settings.installHint":
    "Browsers offer it in their own menu: “Install” in Chrome and Edge, “Add to Home Screen” under Share on an iPhone. The page has to come over TLS or from this machine.",
  "settings.versions": "Versions",
  "settings.gatewayVersion": "Gateway {version}",
  "settings.apiDocs": "The gateway’s API",
  "settings.licence": "MIT licence. Icons by Lucide (ISC).",
  "settings.lack.more": "Where this page stands",
  "settings.lack.microphone.insecure_page": `There is no microphone here. ${INSECURE}`,
  "settings.lack.microphone.old_browser": "This browser cannot record. A current Firefox, Chrome, Edge or Safari can.",
  "settings.lack.microphone.refused":
    "The microphone was refused. Allow it for this page in the browser’s settings, often behind the sign beside the address.",
  "settings.lack.notifications.insecure_page": `There are no notifications of the desktop here. ${INSECURE}`,
  "settings.lack.notifications.old_browser":
    "This browser has no notifications for pages. On an iPhone, put the page on the Home Screen first.",
  "settings.lack.notifications.refused":
    "Notifications were refused. Allow them for this page in the browser’s settings, often behind the sign beside the address.",
  "settings.lack.serviceWorker.insecure_page": `The page cannot be installed, and needs the gateway to open. ${INSECURE}`,
  "settings.lack.serviceWorker.old_browser":
    "This browser, or its private window, cannot keep the page for offline use.",
  "settings.lack.serviceWorker.refused": "The browser’s settings do not let this page be kept for offline use.",
  "settings.lack.encryptedToken.insecure_page": `The token is forgotten when the window closes. ${INSECURE}`,
  "settings.lack.encryptedToken.old_browser":
    "This browser cannot encrypt what it keeps, so the token is forgotten when the window closes.",
  "settings.lack.encryptedToken.refused": "The token is forgotten when the window closes.",
  "connect.title": "Connect to your gateway",
  "connect.what":
    "Your agents run on your machine. The gateway’s link opens the way to them, encrypted from end to end.",
  "connect.link": "The gateway’s link",
  "connect.linkHint": "`sygen serve` prints it when it starts, and `sygen link` at any time.",
  "connect.token": "Token",
  "connect.tokenHint": "This address has none in it. With the whole link the gateway also proves who it is.",
  "connect.connect": "Connect",
  "connect.known": "Gateways that this browser knows",
  "connect.insecure":
    "This page came over plain HTTP from another machine. What you say is encrypted all the same, but an attacker on the way could have changed the page itself, and browsers give it no microphone, no notifications and no place to keep the token encrypted. TLS or `tailscale serve` mends all of that.",
} as const;
