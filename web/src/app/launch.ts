/**
 * Addresses that are no screen: a gateway's link that is opened where the page is open already, which loads nothing anew, and
 * `#/new` of the installed app's menu.
 */

import { effect } from "@preact/signals";
import { takeLink } from "../gateway/link.ts";
import type { Client } from "../state/client.ts";
import { commands } from "./commands.ts";
import { go, readAddress } from "./router.ts";
import { toastError } from "./toasts.tsx";

const NEW_CHAT = "#/new";

/** From now on, and what the page was opened with. */
export function followLaunches(client: Client): void {
  const look = (): void => {
    takeLinkOf(client);
    if (location.hash !== NEW_CHAT) return;
    go({ name: "chat", session: null }, { replace: true });
    runWhenThere("sidebar.new");
  };
  window.addEventListener("hashchange", look);
  look();
}

function takeLinkOf(client: Client): void {
  try {
    const link = takeLink(window);
    if (link === null) return;
    readAddress();
    void client.add(link);
  } catch (error) {
    readAddress();
    toastError(error);
  }
}

/** As soon as a gateway is open, what it takes is on the screen. */
function runWhenThere(id: string): void {
  let isDone = false;
  const end = effect(() => {
    const found = commands.value.flat().find((command) => command.id === id);
    if (found === undefined || isDone) return;
    isDone = true;
    queueMicrotask(() => {
      end();
      found.run();
    });
  });
}
