/** What this browser gives this page. Much of it is only there on secure pages: over TLS, or from this very machine. */

export type Lack =
  /** The page came over plain HTTP from another machine. */
  | "insecure_page"
  /** The browser does not know it. */
  | "old_browser"
  /** A person, or the browser's settings, said no. */
  | "refused";

export type Feature = "microphone" | "serviceWorker" | "notifications" | "encryptedToken";

export const isSecurePage = window.isSecureContext;

/** Null: it is there. */
export function lackOf(feature: Feature): Lack | null {
  const isMissing = {
    microphone: () => !hasMember(navigator, "mediaDevices") || typeof MediaRecorder === "undefined",
    serviceWorker: () => !hasMember(navigator, "serviceWorker"),
    notifications: () => typeof Notification === "undefined",
    encryptedToken: () => !hasMember(crypto, "subtle"),
  }[feature]();
  if (isMissing || !isSecurePage) return isSecurePage ? "old_browser" : "insecure_page";
  if (feature === "notifications" && Notification.permission === "denied") return "refused";
  return null;
}

const hasMember = (owner: object, name: string): boolean => name in owner && Reflect.get(owner, name) !== undefined;
