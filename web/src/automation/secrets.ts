/** Secrets of webhooks that were just made: the gateway never shows them again, and this page only until one says that it is kept. */

import { signal } from "@preact/signals";
import type { Gateway } from "../gateway/gateway.ts";

const fresh = signal<ReadonlyMap<string, string>>(new Map());

const keyOf = (gateway: Gateway, id: string): string => `${gateway.url} ${id}`;

/** To be read by screens. */
export const freshSecretOf = (gateway: Gateway, id: string): string | null =>
  fresh.value.get(keyOf(gateway, id)) ?? null;

export function keepFreshSecret(gateway: Gateway, id: string, secret: string): void {
  fresh.value = new Map([...fresh.peek(), [keyOf(gateway, id), secret]]);
}

export function forgetFreshSecret(gateway: Gateway, id: string): void {
  fresh.value = new Map([...fresh.peek()].filter(([key]) => key !== keyOf(gateway, id)));
}
