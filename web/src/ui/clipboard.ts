/** Into the clipboard, also on pages over plain HTTP, where browsers give the old way only. Resolves with whether it is there. */

export async function copyText(text: string): Promise<boolean> {
  const { clipboard } = navigator as { readonly clipboard?: Clipboard };
  try {
    if (clipboard === undefined) return copyTheOldWay(text);
    await clipboard.writeText(text);
    return true;
  } catch {
    return copyTheOldWay(text);
  }
}

function copyTheOldWay(text: string): boolean {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(field); // what is outside of an open dialog cannot be selected
  field.select();
  try {
    return document.execCommand("copy"); // eslint-disable-line @typescript-eslint/no-deprecated -- there is no other one
  } finally {
    field.remove();
    if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  }
}
