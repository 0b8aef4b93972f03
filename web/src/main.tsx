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

const link = linkOfThisPage();
readAddress();
void start();

async function start(): Promise<void> {
  const [client] = await Promise.all([openClient(), followPreferences(document.documentElement)]);
  if (link !== null && link !== "bad") await client.add(link);
  else if (link === null) await client.openLast();
  window.addEventListener("pagehide", () => client.leave());
  followKeys(window);
  const root = document.getElementById("app");
  if (root !== null) render(<App client={client} hasBadLink={link === "bad"} />, root);
}

function linkOfThisPage(): GatewayLink | "bad" | null {
  try {
    return takeLink(window);
  } catch (error) {
    if (error instanceof GatewayError) return "bad"; // the page asks for another one
    throw error;
  }
}
