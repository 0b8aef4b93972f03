/**
 * Notifications of the desktop: only where the browser has them, a person allowed them, and no page of this client is in
 * sight. Several pages of one browser show each once.
 */

import { lackOf } from "../app/capabilities.ts";
import { hashOf, type Route } from "../app/router.ts";

export interface DesktopNotification {
  /** The same for the same thing, on all pages. */
  readonly tag: string;
  readonly title: string;
  readonly body: string;
  /** What a press on it opens. */
  readonly to: Route;
}

/** What the service worker tells the page that it has brought to the front. */
interface Opened {
  readonly type: "open";
  readonly hash: string;
}

const SEEN = "sygen-seen";
/** Pages in the background may be told much later than others. */
const HOLD_MS = 30_000;

/** Ask the person, which browsers allow only when they press something. Whether they may be shown from now on. */
export async function askForDesktop(): Promise<boolean> {
  return lackOf("notifications") === null && (await Notification.requestPermission()) === "granted";
}

export const mayShowOnDesktop = (): boolean =>
  lackOf("notifications") === null && Notification.permission === "granted";

/** Those that this page shows without a service worker. */
const shownHere = new Map<string, Notification>();

export async function showOnDesktop(given: DesktopNotification): Promise<void> {
  if (!mayShowOnDesktop() || document.visibilityState === "visible" || (await isSeenElsewhere())) return;
  await once(`sygen-desktop:${given.tag}`, () => show(given));
}

/** What it told of is over. */
export async function takeFromDesktop(tag: string): Promise<void> {
  shownHere.get(tag)?.close();
  shownHere.delete(tag);
  const worker = await registration();
  for (const one of (await worker?.getNotifications({ tag })) ?? []) one.close();
}

/** Let other pages know while this one is in sight, and go where a press on a notification leads. Returns what ends it. */
export function joinDesktop(): () => void {
  let letGo: (() => void) | null = null;
  const look = (): void => {
    letGo?.();
    letGo = document.visibilityState === "visible" ? hold(SEEN) : null;
  };
  const open = ({ data }: MessageEvent<unknown>): void => {
    if (isOpened(data)) location.hash = data.hash;
  };
  look();
  document.addEventListener("visibilitychange", look);
  workers()?.addEventListener("message", open);
  return () => {
    letGo?.();
    document.removeEventListener("visibilitychange", look);
    workers()?.removeEventListener("message", open);
  };
}

async function show({ tag, title, body, to }: DesktopNotification): Promise<void> {
  const hash = hashOf(to);
  const worker = await registration();
  if (worker !== null) {
    await worker.showNotification(title, { tag, body, data: { hash } });
    return;
  }
  const notification = new Notification(title, { tag, body });
  shownHere.set(tag, notification);
  notification.onclose = () => shownHere.delete(tag);
  notification.onclick = () => {
    window.focus();
    location.hash = hash;
    notification.close();
  };
}

/** Private windows of some browsers have none, whatever the types say. */
const workers = (): ServiceWorkerContainer | undefined =>
  (navigator as { readonly serviceWorker?: ServiceWorkerContainer }).serviceWorker;

const registration = async (): Promise<ServiceWorkerRegistration | null> => {
  const found = await workers()?.getRegistration();
  return found?.active == null ? null : found;
};

async function isSeenElsewhere(): Promise<boolean> {
  const { held = [] } = await navigator.locks.query();
  return held.some(({ name }) => name === SEEN);
}

/** By the first page that comes; the others find it taken for a while. */
const once = (name: string, run: () => Promise<void>): Promise<void> =>
  new Promise((resolve, reject) => {
    void navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
      if (lock === null) {
        resolve();
        return;
      }
      await run().then(resolve, reject);
      await new Promise((done) => setTimeout(done, HOLD_MS));
    });
  });

/** A lock that any number of pages hold, until what is returned is called. */
function hold(name: string): () => void {
  const end = new AbortController();
  const held = new Promise<void>((resolve) => end.signal.addEventListener("abort", () => resolve()));
  void navigator.locks.request(name, { mode: "shared" }, () => held);
  return () => end.abort();
}

function isOpened(data: unknown): data is Opened {
  if (typeof data !== "object" || data === null) return false;
  const { type, hash } = data as Partial<Record<keyof Opened, unknown>>;
  return type === "open" && typeof hash === "string" && hash.startsWith("#/");
}
