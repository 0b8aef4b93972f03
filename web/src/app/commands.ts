/**
 * What can be done from the keyboard and the palette. Each part of the page adds what it can do while it is there; keys, the
 * palette and the sheet of shortcuts read the same list.
 */

import { signal, type ReadonlySignal } from "@preact/signals";
import type { IconNode } from "lucide";
import { useEffect } from "preact/hooks";

export interface Command {
  readonly id: string;
  readonly title: string;
  readonly icon?: IconNode;
  /**
   * Such as `mod+k` (Ctrl, or Command on a Mac), `mod+shift+o`, `escape`, `?`. Without `mod` it does nothing while something is
   * typed, unless the keys mean nothing there.
   */
  readonly keys?: string;
  /** Not in the palette, as for keys that make sense only where one is. */
  readonly isOnlyKeys?: boolean;
  readonly run: () => void;
}

const registered = signal<readonly (readonly Command[])[]>([]);

/** As long as the component that calls is there. Newer ones win over older ones with the same keys. */
export function useCommands(commands: readonly Command[]): void {
  useEffect(() => {
    registered.value = [...registered.peek(), commands];
    return () => void (registered.value = registered.peek().filter((one) => one !== commands));
  }, [commands]);
}

export const commands: ReadonlySignal<readonly (readonly Command[])[]> = registered;

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

/** As people read them on their keyboard: `Ctrl+K`, `⌘K`. */
export function keysForPeople(keys: string): string {
  const parts = keys.split("+").map((part) => {
    const mac = { mod: "⌘", shift: "⇧", alt: "⌥" }[part];
    const other = { mod: "Ctrl", shift: "Shift", alt: "Alt" }[part];
    const named = { escape: "Esc", enter: "Enter", arrowup: "↑", arrowdown: "↓" }[part];
    return (isMac ? mac : other) ?? named ?? part.toUpperCase();
  });
  return parts.join(isMac ? "" : "+");
}

/** Listen to keys, from now on. */
export function followKeys(page: Window): void {
  page.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const pressed = keysOf(event);
    const isTyping = event.target instanceof HTMLElement && isField(event.target);
    for (const group of [...registered.peek()].reverse()) {
      const found = group.find(({ keys }) => keys === pressed);
      if (found === undefined || (isTyping && !isNothingTyped(pressed, event.target))) continue;
      event.preventDefault();
      found.run();
      return;
    }
  });
}

/** Whether the keys do not write, move or open anything in the field that has them. */
function isNothingTyped(pressed: string, field: EventTarget | null): boolean {
  if (pressed.includes("mod+") || pressed === "escape") return true;
  return pressed.startsWith("alt+arrow") && field instanceof HTMLTextAreaElement && !isMac;
}

function keysOf(event: KeyboardEvent): string {
  const key = event.key.toLowerCase();
  const isSign = key.length === 1 && key.toUpperCase() === key && !/\d/.test(key); // `?` needs Shift on some keyboards
  const parts = [
    (isMac ? event.metaKey : event.ctrlKey) ? "mod" : "",
    event.altKey ? "alt" : "",
    event.shiftKey && !isSign ? "shift" : "",
    key,
  ];
  return parts.filter((part) => part !== "").join("+");
}

const isField = (element: HTMLElement): boolean =>
  element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);
