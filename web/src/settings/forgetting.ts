/** Taking out of this browser what this client keeps in it. */

import type { Client } from "../state/client.ts";

const PREFIX = "sygen:";
const CACHES = "sygen-";

/** Of one gateway: also how far its chats were read, and that the way to it was called private. */
export async function forgetGateway(client: Client, url: string): Promise<void> {
  await client.forget(url);
  remove(["localStorage"], (key) => key.endsWith(`:${url}`));
}

/** Everything. The page begins anew, as if it were opened for the first time. */
export async function forgetBrowser(client: Client): Promise<void> {
  await client.forgetAll();
  remove(["localStorage", "sessionStorage"], () => true);
  const { caches } = globalThis as { readonly caches?: CacheStorage }; // not on pages over plain HTTP
  if (caches !== undefined) {
    const names = (await caches.keys()).filter((name) => name.startsWith(CACHES));
    await Promise.all(names.map((name) => caches.delete(name)));
  }
  const { serviceWorker } = navigator as { readonly serviceWorker?: ServiceWorkerContainer };
  await (await serviceWorker?.getRegistration())?.unregister();
  location.replace(location.pathname);
}

function remove(names: readonly ("localStorage" | "sessionStorage")[], isGoing: (key: string) => boolean): void {
  for (const name of names) {
    try {
      const storage = window[name];
      for (const key of Object.keys(storage)) if (key.startsWith(PREFIX) && isGoing(key)) storage.removeItem(key);
    } catch {
      continue; // the browser does not let pages store anything, so there is nothing
    }
  }
}
