/** One chat: its header, what was said, and where the next message is typed. */

import type { JSX } from "preact";

export function Conversation({ session }: { session: string | null }): JSX.Element {
  return <p>{session}</p>;
}
