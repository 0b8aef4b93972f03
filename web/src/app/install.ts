/** Putting the page among the apps of this device, where the browser offers that. */

import { signal, type ReadonlySignal } from "@preact/signals";

interface InstallEvent extends Event {
  prompt(): Promise<unknown>;
}

const offered = signal<(() => Promise<void>) | null>(null);
const standalone = window.matchMedia("(display-mode: standalone)");
const installed = signal(standalone.matches);
standalone.addEventListener("change", () => (installed.value = standalone.matches));

/** Ask the person; null where the browser does not offer it now. */
export const installPrompt: ReadonlySignal<(() => Promise<void>) | null> = offered;
export const isInstalled: ReadonlySignal<boolean> = installed;

window.addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault(); // the settings offer it, when somebody looks for it
  offered.value = async () => {
    offered.value = null;
    await (event as InstallEvent).prompt();
  };
});
window.addEventListener("appinstalled", () => (installed.value = true));
