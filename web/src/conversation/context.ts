/** What the parts of one conversation have in common. */

import type { Signal } from "@preact/signals";
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Turn } from "../state/turns.ts";
import type { ViewedChat } from "./recent-chats.ts";

export interface ConversationParts extends ViewedChat {
  /** Who answers here: the name that the gateway knows, and the one for people. */
  readonly agent: string;
  readonly agentTitle: string;
  /** The turn whose message is written anew. */
  readonly editing: Signal<string | null>;
  readonly edit: (turn: Turn) => void;
  /** Say the same again. */
  readonly retry: (turn: Turn) => void;
  readonly stop: () => void;
  /** Put text into the draft, behind what is there. */
  readonly write: (text: string) => void;
}

export const ConversationContext = createContext<ConversationParts | null>(null);

export function useConversation(): ConversationParts {
  const parts = useContext(ConversationContext);
  if (parts === null) throw new Error("outside of a conversation");
  return parts;
}
