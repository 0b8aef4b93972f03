/** What the page's worker does: keep the page's files, make way for a newer version when told to, and open notifications. */

import type { ClickEvent, Windows, WorkerScope } from "./scope.ts";
import { Shell, type ShellOptions } from "./shell.ts";

/** `build`: the one that the worker belongs to. */
export function work(scope: WorkerScope, build: Pick<ShellOptions, "version" | "files" | "entry">): void {
  const root = scope.registration.scope;
  const shell = new Shell({
    ...{ ...build, caches: scope.caches, root },
    fetch: (request) => scope.fetch(request),
  });
  scope.addEventListener("install", (event) => event.waitUntil(shell.keep()));
  scope.addEventListener("activate", (event) =>
    event.waitUntil(Promise.all([shell.removeOlder(), scope.clients.claim()])),
  );
  scope.addEventListener("fetch", (event) => {
    const answer = shell.answer(event.request);
    if (answer === null) return;
    event.respondWith(answer.response);
    event.waitUntil(answer.afterwards);
  });
  scope.addEventListener("message", (event) => {
    if (isActivate(event.data)) event.waitUntil(scope.skipWaiting());
  });
  scope.addEventListener("notificationclick", (event) => {
    event.notification.close();
    event.waitUntil(open(scope.clients, root, hashOf(event.notification)));
  });
}

/** A window that is there comes to the front and goes to that place; else there will be one. */
async function open(windows: Windows, root: string, hash: string): Promise<void> {
  const all = await windows.matchAll({ type: "window", includeUncontrolled: true });
  const pages = all.filter(({ url }) => url.split(/[?#]/, 1)[0] === root); // the gateway has others, such as its documentation
  const best = pages.find(({ visibilityState }) => visibilityState === "visible") ?? pages[0];
  if (best === undefined) {
    await windows.openWindow(root + hash);
    return;
  }
  await best.focus();
  best.postMessage({ type: "open", hash });
}

function hashOf({ data }: ClickEvent["notification"]): string {
  const hash = typeof data === "object" && data !== null ? (data as { readonly hash?: unknown }).hash : undefined;
  return typeof hash === "string" && hash.startsWith("#/") ? hash : "#/";
}

const isActivate = (data: unknown): boolean =>
  typeof data === "object" && data !== null && (data as { readonly type?: unknown }).type === "activate";
