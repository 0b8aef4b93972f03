/** Which of the two is open: asked for by keys and buttons, drawn by what is loaded then. */

import { signal } from "@preact/signals";

export const isPaletteOpen = signal<"commands" | "help" | null>(null);
