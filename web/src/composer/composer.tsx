/** Where the next message is made: typed, spoken, with files. */

import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import type { OpenChat } from "../state/gateway.ts";

interface ComposerGiven {
  readonly open: OpenChat;
  /** The turn whose message is written anew; null for a new one. */
  readonly editing: Signal<string | null>;
}

export function Composer({ open }: ComposerGiven): JSX.Element {
  return <form aria-label={open.chat.key} />;
}
