/** A moment of the day that it is: `Today` is yesterday once midnight has passed. */

import { signal, type ReadonlySignal } from "@preact/signals";
import { dayKey } from "../app/dates.ts";

const LOOK_EVERY_MS = 60_000;

const now = (): number => Date.now() / 1000;
const moment = signal(now());
const look = (): void => {
  if (dayKey(now()) !== dayKey(moment.peek())) moment.value = now();
};
setInterval(look, LOOK_EVERY_MS);
document.addEventListener("visibilitychange", look);

export const today: ReadonlySignal<number> = moment;
