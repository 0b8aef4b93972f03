/** What people choose about this page, and the gateways that it knows. */

import type { JSX } from "preact";

export function Settings(): JSX.Element {
  return <section />;
}
