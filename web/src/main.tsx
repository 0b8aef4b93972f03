/** The page. The link's secrets leave the address bar before anything else happens. */

import "./styles/tokens.css";
import "./styles/base.css";
import { render } from "preact";
import { App } from "./app/app.tsx";
import { followKeys } from "./app/commands.ts";
import { followPreferences } from "./app/preferences.ts";
import { readAddress } from "./app/router.ts";
import { GatewayError } from "./gateway/errors.ts";
import { takeLink, type GatewayLink } from "./gateway/link.ts";
import { openClient } from "./state/client.ts";

const link = linkOrNull();
readAddress();
void start();

async function start(): Promise<void> {
  const [client] = await Promise.all([openClient(), followPreferences(document.documentElement)]);
  if (link !== null) await client.add(link);
  else await client.openLast();
  window.addEventListener("pagehide", () => client.leave());
  followKeys(window);
  const root = document.getElementById("app");
  if (root !== null) render(<App client={client} />, root);
}

function linkOrNull(): GatewayLink | null {
  try {
    return takeLink(window);
  } catch (error) {
    if (error instanceof GatewayError) return null; // the page asks for a link
    throw error;
  }
}
