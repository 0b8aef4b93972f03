/** The palette of commands and chats, and the sheet of shortcuts; whichever is open. */

import type { JSX } from "preact";
import { lazy } from "../ui/lazy.tsx";
import { isPaletteOpen } from "./open.ts";

const Palette = lazy(async () => (await import("./command-palette.tsx")).CommandPalette);
const Help = lazy(async () => (await import("./help.tsx")).Help);

export function CommandCentre(): JSX.Element | null {
  const close = (): void => void (isPaletteOpen.value = null);
  switch (isPaletteOpen.value) {
    case "commands":
      return <Palette onClose={close} />;
    case "help":
      return <Help onClose={close} />;
    case null:
      return null;
  }
}
