/** The page. The link's secrets leave the address bar before anything else happens. */

import "./styles/tokens.css";
import "./styles/base.css";
import { render } from "preact";
import { App } from "./app/app.tsx";
import { followKeys } from "./app/commands.ts";
import { followInstalling } from "./app/install.ts";
import { followLaunches } from "./app/launch.ts";
import { keepPage } from "./app/page-version.ts";
import { followPreferences } from "./app/preferences.ts";
import { readAddress } from "./app/router.ts";
import { followThemeColour } from "./app/theme-colour.ts";
import { followBlocked } from "./connect/blocked.ts";
import { GatewayError } from "./gateway/errors.ts";
import { takeLink, type GatewayLink } from "./gateway/link.ts";
import { openClient } from "./state/client.ts";

const link = linkOfThisPage();
readAddress();
if (!document.documentElement.hasAttribute("data-old-browser")) void start(); // else the page says which browsers can show it

async function start(): Promise<void> {
  followInstalling();
  followBlocked(document);
  const [client] = await Promise.all([openClient(), followPreferences(document.documentElement)]);
  if (link !== null && link !== "bad") await client.add(link);
  else if (link === null) await client.openLast();
  window.addEventListener("pagehide", () => client.leave());
  followKeys(window);
  followThemeColour(document);
  followLaunches(client);
  const root = document.getElementById("app");
  if (root !== null) render(<App client={client} hasBadLink={link === "bad"} />, root);
  await keepPage(() => client.drafts.keep());
}

function linkOfThisPage(): GatewayLink | "bad" | null {
  try {
    return takeLink(window);
  } catch (error) {
    if (error instanceof GatewayError) return "bad"; // the page asks for another one
    throw error;
  }
}
