/** Putting the page among the apps of this device, where the browser offers that. */

import { signal, type ReadonlySignal } from "@preact/signals";

interface InstallEvent extends Event {
  prompt(): Promise<unknown>;
}

const offered = signal<(() => Promise<void>) | null>(null);
const installed = signal(false);

/** Ask the person; null where the browser does not offer it now. */
export const installPrompt: ReadonlySignal<(() => Promise<void>) | null> = offered;
/** This is the app's own window. */
export const isInstalled: ReadonlySignal<boolean> = installed;

/** From now on. The browser offers it once, soon after the page is there. */
export function followInstalling(): void {
  const standalone = window.matchMedia("(display-mode: standalone)");
  installed.value = standalone.matches;
  standalone.addEventListener("change", () => (installed.value = standalone.matches));
  window.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault(); // the settings offer it, when somebody looks for it
    offered.value = async () => {
      offered.value = null;
      await (event as InstallEvent).prompt();
    };
  });
  window.addEventListener("appinstalled", () => (offered.value = null));
}
