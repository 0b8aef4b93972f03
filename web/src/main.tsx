/** The page. The link's secrets leave the address bar before anything else happens. */

import { render } from "preact";
import { GatewayError } from "./gateway/errors.ts";
import { takeLink, type GatewayLink } from "./gateway/link.ts";
import { preferred, speak } from "./i18n/language.ts";
import { openClient } from "./state/client.ts";
import { BarePage } from "./bare-page.tsx";

const link = linkOrNull();
void start();

async function start(): Promise<void> {
  const wanted = preferred(navigator.languages);
  await speak(wanted).catch(() => undefined); // else it stays English
  const client = await openClient();
  if (link !== null) await client.add(link);
  else await client.openLast();
  window.addEventListener("pagehide", () => client.leave());
  const root = document.getElementById("app");
  if (root !== null) render(<BarePage client={client} />, root);
}

function linkOrNull(): GatewayLink | null {
  try {
    return takeLink(window);
  } catch (error) {
    if (error instanceof GatewayError) return null; // the page asks for a link
    throw error;
  }
}
