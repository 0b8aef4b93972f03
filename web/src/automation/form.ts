/** What is typed in a form: kept like the drafts of chats until the gateway has taken it, whatever happens to the page. */

import { isFields } from "../protocol/json.ts";

export type Fields = Readonly<Record<string, string | boolean>>;

/** What was changed of `initial`, as it is kept; empty if nothing was. */
export function draftOf<F extends Fields>(initial: F, values: F): string {
  const changed = Object.entries(values).filter(([name, value]) => value !== initial[name]);
  return changed.length === 0 ? "" : JSON.stringify(Object.fromEntries(changed));
}

/** `initial` with the changes of a draft. What is no draft of this form changes nothing. */
export function withDraft<F extends Fields>(initial: F, draft: string): F {
  const changed = parsed(draft);
  const fitting = Object.entries(changed).filter(([name, value]) => typeof value === typeof initial[name]);
  return { ...initial, ...Object.fromEntries(fitting) };
}

/** The field that a sentence of the gateway is about; null if it does not say. `hints`: the first that fits. */
export function fieldOf(
  sentence: string,
  names: readonly string[],
  hints: readonly (readonly [string, RegExp])[],
): string | null {
  const path = /^body\.(\w+)/.exec(sentence)?.[1];
  const named = names.find((name) => wireName(name) === path);
  return named ?? hints.find(([, pattern]) => pattern.test(sentence))?.[0] ?? null;
}

const wireName = (name: string): string => name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);

function parsed(draft: string): Readonly<Record<string, unknown>> {
  if (draft === "") return {};
  try {
    const found: unknown = JSON.parse(draft);
    return isFields(found) ? found : {};
  } catch {
    return {};
  }
}
