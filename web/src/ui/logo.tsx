/** The mark of the product: two who talk, through one gate. */

import type { JSX } from "preact";

export function Logo({ size = 24 }: { size?: number }): JSX.Element {
  return (
    <svg aria-hidden="true" width={size} height={size} viewBox="0 0 64 64" focusable="false">
      <rect width="64" height="64" rx="16" fill="var(--accent-fill)" />
      <path
        d="M45 21c-3-4-8-5.5-13-5.5-7 0-13 3-13 8.500 0 12 26 5 26 17 0 5.5-6 8.500-13 8.500-5.5 0-11-2-14-6.500"
        fill="none"
        stroke="var(--on-accent)"
        stroke-width="6"
        stroke-linecap="round"
      />
    </svg>
  );
}
