/**
 * Which screen is shown. It stands behind the `#` of the address, so that it can be linked and gone back to, and is never
 * part of a request.
 */

import { computed, signal, type ReadonlySignal } from "@preact/signals";

export const AUTOMATION_TABS = ["tasks", "cron", "webhooks"] as const;
export type AutomationTab = (typeof AUTOMATION_TABS)[number];

export const SETTINGS_SECTIONS = ["appearance", "gateways", "notifications", "approvals", "about"] as const;
export type SettingsSection = (typeof SETTINGS_SECTIONS)[number];

export type Route =
  /** Null: the gateway's default chat. */
  | { readonly name: "chat"; readonly session: string | null }
  /** `id`: the one that is looked at, or `new`. */
  | { readonly name: "automation"; readonly tab: AutomationTab; readonly id: string | null }
  | { readonly name: "notifications" }
  | { readonly name: "settings"; readonly section: SettingsSection }
  | { readonly name: "unknown" };

export function routeOf(hash: string): Route {
  const [name = "", first = "", second = "", ...more] = hash
    .replace(/^#?\/?/, "")
    .split("/")
    .map(decoded);
  if (more.length > 0) return { name: "unknown" };
  switch (name) {
    case "":
      return { name: "chat", session: null };
    case "chat":
      return first === "" || second !== "" ? { name: "unknown" } : { name: "chat", session: first };
    case "automation": {
      const tab = first === "" ? "tasks" : AUTOMATION_TABS.find((one) => one === first);
      return tab === undefined ? { name: "unknown" } : { name: "automation", tab, id: second || null };
    }
    case "notifications":
      return { name: "notifications" };
    case "settings": {
      const section = first === "" ? "appearance" : SETTINGS_SECTIONS.find((one) => one === first);
      return section === undefined || second !== "" ? { name: "unknown" } : { name: "settings", section };
    }
    default:
      return { name: "unknown" };
  }
}

/** For `href`s. */
export function hashOf(route: Route): string {
  switch (route.name) {
    case "chat":
      return route.session === null ? "#/" : `#/chat/${encodeURIComponent(route.session)}`;
    case "automation":
      return `#/automation/${route.tab}${route.id === null ? "" : `/${encodeURIComponent(route.id)}`}`;
    case "notifications":
      return "#/notifications";
    case "settings":
      return `#/settings/${route.section}`;
    case "unknown":
      return "#/unknown";
  }
}

const hash = signal(location.hash);
window.addEventListener("hashchange", () => readAddress());

/** After something has changed the address that tells nobody, such as taking a link's secrets out of it. */
export const readAddress = (): void => void (hash.value = location.hash);

export const route: ReadonlySignal<Route> = computed(() => routeOf(hash.value));

export function go(to: Route, { replace = false }: { readonly replace?: boolean } = {}): void {
  const wanted = hashOf(to);
  if (replace) history.replaceState(null, "", wanted);
  else if (wanted !== location.hash) history.pushState(null, "", wanted);
  hash.value = wanted;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // half an escape: no id of ours
  }
}
