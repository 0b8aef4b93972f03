/** Places in a session. To everybody else a cursor is opaque; two of them are compared here. */

export interface Place {
  /** The same for all places that belong together. */
  readonly epoch: string;
  /** Grows with every event: a delta's code points, else one. */
  readonly seq: number;
}

/** Null for what is no cursor: then nothing can be compared with it. */
export function placeOf(cursor: string): Place | null {
  const colon = cursor.lastIndexOf(":");
  const digits = cursor.slice(colon + 1);
  if (colon < 0 || !/^\d{1,16}$/.test(digits)) return null;
  return { epoch: cursor.slice(0, colon), seq: Number(digits) };
}

export function codePoints(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length - 1; at++) {
    if (isHigh(text.charCodeAt(at)) && isLow(text.charCodeAt(at + 1))) {
      count--;
      at++;
    }
  }
  return count;
}

/** The text without its first `count` code points. */
export function dropCodePoints(text: string, count: number): string {
  let at = 0;
  for (let dropped = 0; dropped < count && at < text.length; dropped++) {
    at += isHigh(text.charCodeAt(at)) && isLow(text.charCodeAt(at + 1)) ? 2 : 1;
  }
  return text.slice(at);
}

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;
