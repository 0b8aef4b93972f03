/** The page's service worker, and newer versions of the page: they are announced, and loaded when a person says so. */

import { signal, type ReadonlySignal } from "@preact/signals";
import { t } from "../i18n/language.ts";
import { lackOf } from "./capabilities.ts";
import { toast } from "./toasts.tsx";

declare const PAGE_VERSION: string;

/** Of the gateway that this page was built with. */
export const pageVersion: string = PAGE_VERSION;

const WORKER = "./sw.js";
const LOOK_EVERY_MS = 60 * 60 * 1000;
/** Until somebody presses it, or says no. */
const A_DAY_MS = 24 * 60 * 60 * 1000;

const hasNewer = signal(false);
/** A newer version of the page is there to be loaded. */
export const isOutdated: ReadonlySignal<boolean> = hasNewer;

let loadNewer = (): void => location.reload();

/** Load the newer version. */
export const reloadPage = (): void => loadNewer();

/** Keep the page for times without the gateway, from now on. `beforeReload`: what must not be lost. */
export async function keepPage(beforeReload: () => Promise<void>): Promise<void> {
  if (!import.meta.env.PROD || lackOf("serviceWorker") !== null) return;
  const { serviceWorker } = navigator;
  let registration: ServiceWorkerRegistration;
  try {
    registration = await serviceWorker.register(trusted(WORKER), { updateViaCache: "none" });
  } catch {
    return; // the browser's settings do not let it, or the gateway is away: the page works without
  }
  const reload = async (): Promise<void> => {
    await beforeReload();
    location.reload();
  };
  let isAsked = false;
  loadNewer = () => {
    isAsked = true;
    // One that waits takes over first: what it says to do so comes back as `controllerchange`.
    if (registration.waiting === null) void reload();
    else registration.waiting.postMessage({ type: "activate" });
  };
  let hadController = serviceWorker.controller !== null;
  serviceWorker.addEventListener("controllerchange", () => {
    if (isAsked) void reload();
    else if (hadController) announce(); // another window has loaded the newer version
    hadController = true;
  });
  const watch = (worker: ServiceWorker | null): void => {
    worker?.addEventListener("statechange", () => {
      if (worker.state === "installed" && serviceWorker.controller !== null) announce();
    });
  };
  if (registration.waiting !== null && hadController) announce();
  watch(registration.installing);
  registration.addEventListener("updatefound", () => watch(registration.installing));
  let lookedAt = Date.now();
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible" || Date.now() - lookedAt < LOOK_EVERY_MS) return;
    lookedAt = Date.now();
    registration.update().catch(() => undefined); // the gateway is away
  });
}

function announce(): void {
  if (hasNewer.peek()) return;
  hasNewer.value = true;
  const action = { label: t("pwa.reload"), run: reloadPage };
  toast({ text: t("pwa.newVersion"), action, durationMs: A_DAY_MS });
}

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): unknown };
}

/** The policy of the page lets one address through as a script: that of its own worker. */
function trusted(url: string): string {
  const { trustedTypes } = globalThis as { readonly trustedTypes?: TrustedTypes };
  if (trustedTypes === undefined) return url;
  const policy = trustedTypes.createPolicy("sygen", {
    createScriptURL: (given) => {
      if (given !== WORKER) throw new TypeError(given);
      return given;
    },
  });
  return policy.createScriptURL(url) as string; // what `register` takes, whatever its types say
}
