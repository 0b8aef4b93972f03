/** From a chat's id to the open chat. */

import { useSignal, type ReadonlySignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { GatewayError } from "../gateway/errors.ts";
import type { Session } from "../gateway/shapes.ts";
import type { GatewayState } from "../state/gateway.ts";
import { recentChatsOf, type ViewedChat } from "./recent-chats.ts";

export type Opening =
  | { readonly phase: "opening" }
  | { readonly phase: "missing" }
  /** The gateway said something else than where it is. */
  | { readonly phase: "failed"; readonly error: GatewayError }
  | { readonly phase: "open"; readonly viewed: ViewedChat };

/** What the gateway's default chat is remembered by: it has an id only once the gateway has said so. */
const HOME = "";

/**
 * Open the chat `session` (null: the default one) as long as the component is there. Where the gateway has to be asked and is
 * away, it opens once it is there.
 */
export function useOpening(gateway: GatewayState, session: string | null, attempt: number): ReadonlySignal<Opening> {
  const opening = useSignal<Opening>({ phase: "opening" });
  useEffect(() => {
    const recent = recentChatsOf(gateway);
    const id = session ?? HOME;
    let isOver = false;
    let isViewed = false;
    const open = (numbers: Session | null): void => {
      if (isOver) return;
      isViewed = true;
      opening.value = { phase: "open", viewed: recent.view(id, numbers) };
    };
    if (session === null || recent.has(id)) open(null);
    else {
      const known = gateway.sessions.list.peek()?.find((one) => one.id === session);
      if (known !== undefined) open(known);
      else {
        opening.value = { phase: "opening" };
        const openAsked = (asked: Session): void => {
          gateway.sessions.know(asked);
          open(asked);
        };
        void ask(gateway, session).then(openAsked, (error: unknown) => {
          if (isOver) return;
          if (!(error instanceof GatewayError)) throw error;
          opening.value = error.code === "not_found" ? { phase: "missing" } : { phase: "failed", error };
        });
      }
    }
    return () => {
      isOver = true;
      if (isViewed) recent.leave(id);
    };
  }, [gateway, session, attempt]);
  return opening;
}

/** However long the gateway is away: it waits for the connection. Rejects with GatewayError. */
async function ask(gateway: GatewayState, id: string): Promise<Session> {
  for (;;) {
    try {
      return await gateway.gateway.api.sessions.get(id);
    } catch (error) {
      const isAway = gateway.connection.peek().phase !== "online";
      if (!(error instanceof GatewayError) || error.code !== "timed_out" || !isAway) throw error;
    }
  }
}
