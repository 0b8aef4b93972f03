/** What the page's worker does: keep the page's files, make way for a newer version when told to, and open notifications. */

import type { ClickEvent, Windows, WorkerScope } from "./scope.ts";
import { Shell } from "./shell.ts";

/** `version` and `files`: of the build that the worker belongs to. */
export function work(
  scope: WorkerScope,
  { version, files }: { readonly version: string; readonly files: readonly string[] },
): void {
  const root = scope.registration.scope;
  const shell = new Shell({
    ...{ caches: scope.caches, root, version, files },
    fetch: (request) => scope.fetch(request),
  });
  scope.addEventListener("install", (event) => event.waitUntil(shell.keep()));
  scope.addEventListener("activate", (event) =>
    event.waitUntil(Promise.all([shell.removeOthers(), scope.clients.claim()])),
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
  const best = all.find(({ visibilityState }) => visibilityState === "visible") ?? all[0];
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
