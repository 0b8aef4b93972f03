/** Line icons of Lucide (ISC licence), drawn as elements. They are decoration: what they stand on has the name. */

import type { IconNode } from "lucide";
import { h, type JSX } from "preact";

export function Icon({ of, size = 18 }: { of: IconNode; size?: number }): JSX.Element {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.75"
      stroke-linecap="round"
      stroke-linejoin="round"
      focusable="false"
    >
      {of.map(([name, attributes], place) => h(name, { ...attributes, key: place }))}
    </svg>
  );
}
