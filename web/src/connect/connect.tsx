/** The first thing that is seen without a gateway: where its link goes. */

import type { JSX } from "preact";

export function Connect(): JSX.Element {
  return <section />;
}
