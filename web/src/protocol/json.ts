/** JSON objects as bytes and back, and reading fields that nobody has checked yet. */

import { ProtocolTrouble } from "./errors.ts";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Fields = Readonly<Record<string, unknown>>;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export const encodeJson = (value: object): Uint8Array => encoder.encode(JSON.stringify(value));
export const encodeText = (text: string): Uint8Array => encoder.encode(text);

/** The JSON object in `bytes`. Throws ProtocolTrouble(invalid). */
export function parseObject(bytes: Uint8Array): Fields {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    throw new ProtocolTrouble("invalid", "not JSON in UTF-8");
  }
  return objectIn(value);
}

/** The same of a text that arrived, such as a handshake's answer. */
export function parseObjectText(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolTrouble("invalid", "not JSON");
  }
  return objectIn(value);
}

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A required field. Throws ProtocolTrouble(invalid). */
export function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new ProtocolTrouble("invalid", `\`${name}\` is no text`);
  return value;
}

export function number(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== "number") throw new ProtocolTrouble("invalid", `\`${name}\` is no number`);
  return value;
}

export function maybeText(fields: Fields, name: string): string | null {
  const value = fields[name];
  return typeof value === "string" ? value : null;
}

export function maybeNumber(fields: Fields, name: string): number | null {
  const value = fields[name];
  return typeof value === "number" ? value : null;
}

export const flag = (fields: Fields, name: string): boolean => fields[name] === true;

/** What is a text in a list; anything else in it is passed over. */
export function texts(fields: Fields, name: string): string[] {
  const value: unknown = fields[name];
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

/** What is an object in a list; anything else in it is passed over. */
export function objects(fields: Fields, name: string): Fields[] {
  const value: unknown = fields[name];
  return Array.isArray(value) ? value.filter(isFields) : [];
}

function objectIn(value: unknown): Fields {
  if (!isFields(value)) throw new ProtocolTrouble("invalid", "not a JSON object");
  return value;
}
