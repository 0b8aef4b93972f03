/** Where a gateway is and what opens it, as people get it: a link with `#token=...&server=...`. */

import { InvalidKey } from "../protocol/errors.ts";
import { decodeKey } from "../protocol/crypto.ts";
import type { Credentials } from "../protocol/auth.ts";
import { GatewayError } from "./errors.ts";

export interface GatewayLink extends Credentials {
  /** Where its HTTP begins, without a slash at the end: `https://host:8741`. Also what this client knows it by. */
  readonly url: string;
}

/** From a link or an address with a token beside it. Throws GatewayError(bad_link). */
export function parseLink(link: string, token?: string): GatewayLink {
  let address: URL;
  try {
    address = new URL(link.trim());
  } catch {
    throw new GatewayError("bad_link");
  }
  const scheme = { "http:": "http:", "ws:": "http:", "https:": "https:", "wss:": "https:" }[address.protocol];
  const named = namedIn(address.hash);
  const secret = token ?? named.get("token") ?? "";
  if (scheme === undefined || address.hostname === "" || secret === "") throw new GatewayError("bad_link");
  const serverKey = named.get("server") ?? null;
  try {
    if (serverKey !== null) decodeKey(serverKey);
  } catch (error) {
    if (error instanceof InvalidKey) throw new GatewayError("bad_link");
    throw error;
  }
  const path = address.pathname.replace(/\/(?:ws\/?)?$/, "");
  return { url: `${scheme}//${address.host}${path}`, token: secret, serverKey };
}

/**
 * The link by which this page was opened, or null. Its secrets leave the address bar and the history before anything else
 * happens, also where they are no use.
 */
export function takeLink(page: Pick<Window, "location" | "history">): GatewayLink | null {
  const { href, hash } = page.location;
  const named = namedIn(hash);
  if (!named.has("token") && !named.has("server")) return null;
  page.history.replaceState(null, "", href.slice(0, href.length - hash.length));
  return parseLink(href);
}

export const socketUrl = (url: string): string => `${url.replace(/^http/, "ws")}/ws`;

/** Nobody on the way can read or change what is not encrypted by us: TLS, or this very machine. */
export function isPrivate(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}

/** In a query `+` would be a space; in base64 it is a digit. */
function namedIn(hash: string): URLSearchParams {
  return new URLSearchParams(hash.replace(/^#/, "").replaceAll("+", "%2B"));
}
