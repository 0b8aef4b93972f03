/** A sentence of the catalogue in which `backticks` hold what is typed or copied to the letter. */

import type { JSX } from "preact";

export function Words({ of }: { of: string }): JSX.Element {
  const parts = of.split("`");
  return <>{parts.map((part, at) => (at % 2 === 0 ? part : <code key={at}>{part}</code>))}</>;
}
