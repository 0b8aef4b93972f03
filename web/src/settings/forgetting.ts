/** Everything that this client keeps in this browser, gone. */

import type { Client } from "../state/client.ts";

const PREFIX = "sygen:";

export async function forgetBrowser(client: Client): Promise<void> {
  await client.forgetAll();
  for (const storage of [localStorage, sessionStorage]) {
    for (const key of Object.keys(storage)) if (key.startsWith(PREFIX)) storage.removeItem(key);
  }
  if (typeof caches !== "undefined") await Promise.all((await caches.keys()).map((name) => caches.delete(name)));
  const { serviceWorker } = navigator as { readonly serviceWorker?: ServiceWorkerContainer };
  for (const registration of (await serviceWorker?.getRegistrations()) ?? []) await registration.unregister();
  location.replace(location.pathname); // as it is opened for the first time
}
