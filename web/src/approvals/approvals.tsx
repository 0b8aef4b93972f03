/** What agents ask for now, above everything else. */

import type { JSX } from "preact";

export function Approvals(): JSX.Element | null {
  return null;
}
