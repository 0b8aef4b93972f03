/**
 * What an answer of the JSON API has to look like. `record({ chatId: number })` reads `chat_id` and gives `chatId`; fields
 * that are not named are passed over. Readers throw ProtocolTrouble(invalid).
 */

import { ProtocolTrouble } from "./errors.ts";
import { isFields } from "./json.ts";

export type Reader<T> = (value: unknown) => T;
export type Shape<R> = R extends Reader<infer T> ? T : never;

export function record<T extends object>(readers: { readonly [K in keyof T]: Reader<T[K]> }): Reader<Readonly<T>> {
  const fields = Object.entries<Reader<unknown>>(readers).map(
    ([name, reader]) => [name, wireName(name), reader] as const,
  );
  return (value) => {
    if (!isFields(value)) throw unlike("an object");
    return Object.fromEntries(fields.map(([name, wire, reader]) => [name, reader(value[wire])])) as T;
  };
}

export const list =
  <T>(reader: Reader<T>): Reader<readonly T[]> =>
  (value) => {
    if (!Array.isArray(value)) throw unlike("a list");
    return value.map(reader);
  };

/** Null is null, and so is a field that is not there. */
export const orNull =
  <T>(reader: Reader<T>): Reader<T | null> =>
  (value) =>
    value == null ? null : reader(value);

export const str: Reader<string> = (value) => {
  if (typeof value !== "string") throw unlike("text");
  return value;
};

export const num: Reader<number> = (value) => {
  if (typeof value !== "number") throw unlike("a number");
  return value;
};

export const bool: Reader<boolean> = (value) => {
  if (typeof value !== "boolean") throw unlike("true or false");
  return value;
};

export const anything: Reader<unknown> = (value) => value ?? null;
export const nothing: Reader<void> = () => undefined;

/** Fields under the names that they have on the wire, without those that are undefined. */
export const onTheWire = (fields: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [wireName(name), value as unknown]),
  );

const wireName = (name: string): string => name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
const unlike = (wanted: string): ProtocolTrouble => new ProtocolTrouble("invalid", `not ${wanted}`);
