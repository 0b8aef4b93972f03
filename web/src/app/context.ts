/** What every screen needs, without handing it down through all of them. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Client } from "../state/client.ts";
import type { GatewayState } from "../state/gateway.ts";

export const ClientContext = createContext<Client | null>(null);
export const GatewayContext = createContext<GatewayState | null>(null);

export function useClient(): Client {
  const client = useContext(ClientContext);
  if (client === null) throw new Error("outside of the page");
  return client;
}

/** The gateway that is looked at; only for screens that are shown when there is one. */
export function useGateway(): GatewayState {
  const gateway = useContext(GatewayContext);
  if (gateway === null) throw new Error("no gateway is open");
  return gateway;
}
