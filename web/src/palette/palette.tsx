/** The palette of commands and the sheet of shortcuts. */

import type { JSX } from "preact";

export function CommandCentre(): JSX.Element | null {
  return null;
}
