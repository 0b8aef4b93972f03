/** What happened while nobody looked. */

import type { JSX } from "preact";

export function NotificationsScreen(): JSX.Element {
  return <section />;
}
