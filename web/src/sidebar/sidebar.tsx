/** The chats, and the ways to everything else. */

import type { JSX } from "preact";

export function Sidebar(): JSX.Element {
  return <nav />;
}
