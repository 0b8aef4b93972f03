/** Whether the chats are to be seen. On narrow screens they lie over the screen, and are opened; on wide ones they can be hidden. */

import { signal } from "@preact/signals";

const narrow = window.matchMedia("(max-width: 52rem)"); // as in app.module.css
const isNarrow = signal(narrow.matches);
narrow.addEventListener("change", () => (isNarrow.value = narrow.matches));

export const isSidebarOpen = signal(false);
export const isSidebarHidden = signal(false);

/** What cannot be seen cannot be reached by Tab either. */
export function isSidebarAway(): boolean {
  return isNarrow.value ? !isSidebarOpen.value : isSidebarHidden.value;
}

/** Show or hide them, whichever way the screen is. */
export function toggleSidebar(): void {
  const shown = isNarrow.peek() ? isSidebarOpen : isSidebarHidden;
  shown.value = !shown.peek();
}
