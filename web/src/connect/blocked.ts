/** Other gateways that the browser keeps this page from, because the settings of the page's own gateway do not name them. */

import { signal, type ReadonlySignal } from "@preact/signals";
import { go } from "../app/router.ts";
import { toast } from "../app/toasts.tsx";
import { t } from "../i18n/language.ts";

const SHOWN_MS = 12_000;

const found = signal<ReadonlySet<string>>(new Set());

/** Their hosts, with the port. */
export const blockedHosts: ReadonlySignal<ReadonlySet<string>> = found;

/** Listen to what the browser refuses, from now on, and say it once for each. */
export function followBlocked(page: Document): void {
  page.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => {
    if (effectiveDirective !== "connect-src" || !URL.canParse(blockedURI)) return;
    const { host } = new URL(blockedURI);
    if (host === "" || found.peek().has(host)) return;
    found.value = new Set([...found.peek(), host]);
    const action = { label: t("connect.howBlocked"), run: () => go({ name: "settings", section: "gateways" }) };
    toast({ text: t("connect.blocked", { host }), action, durationMs: SHOWN_MS });
  });
}
