/**
 * Base64 as frames have it: standard alphabet, padded, nothing else. `atob` would take white space and missing padding.
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD = 61; // "="
const CHUNK = 0x6000; // characters that are made to text at once; a multiple of four

const CODES = new Uint8Array(64);
const VALUES = new Uint8Array(128).fill(255);
for (let value = 0; value < 64; value++) {
  const code = ALPHABET.charCodeAt(value);
  CODES[value] = code;
  VALUES[code] = value;
}

export function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  const codes = new Uint8Array(Math.min(CHUNK, Math.ceil(bytes.length / 3) * 4));
  let filled = 0;
  for (let at = 0; at < bytes.length; at += 3) {
    const rest = bytes.length - at;
    const bits = (byteAt(bytes, at) << 16) | (byteAt(bytes, at + 1) << 8) | byteAt(bytes, at + 2);
    codes[filled] = codeOf(bits >> 18);
    codes[filled + 1] = codeOf(bits >> 12);
    codes[filled + 2] = rest > 1 ? codeOf(bits >> 6) : PAD;
    codes[filled + 3] = rest > 2 ? codeOf(bits) : PAD;
    filled += 4;
    if (filled === codes.length) {
      text += String.fromCharCode(...codes);
      filled = 0;
    }
  }
  return filled === 0 ? text : text + String.fromCharCode(...codes.subarray(0, filled));
}

/** The bytes, or null for what is not strictly base64. */
export function decodeBase64(text: string): Uint8Array | null {
  const length = text.length;
  if (length % 4 !== 0) return null;
  if (length === 0) return new Uint8Array(0);
  const padding = text.charCodeAt(length - 1) !== PAD ? 0 : text.charCodeAt(length - 2) !== PAD ? 1 : 2;
  const bytes = new Uint8Array((length / 4) * 3 - padding);
  const whole = padding === 0 ? length : length - 4;
  let filled = 0;
  let wrong = 0;
  for (let at = 0; at < whole; at += 4) {
    const first = valueAt(text, at);
    const second = valueAt(text, at + 1);
    const third = valueAt(text, at + 2);
    const fourth = valueAt(text, at + 3);
    wrong |= first | second | third | fourth;
    bytes[filled] = (first << 2) | (second >> 4);
    bytes[filled + 1] = (second << 4) | (third >> 2);
    bytes[filled + 2] = (third << 6) | fourth;
    filled += 3;
  }
  if (padding > 0) {
    const first = valueAt(text, whole);
    const second = valueAt(text, whole + 1);
    const third = padding === 1 ? valueAt(text, whole + 2) : 0;
    wrong |= first | second | third;
    const spare = padding === 1 ? third & 3 : second & 15;
    if (spare !== 0) return null; // two texts would stand for the same bytes
    bytes[filled] = (first << 2) | (second >> 4);
    if (padding === 1) bytes[filled + 1] = (second << 4) | (third >> 2);
  }
  return wrong > 63 ? null : bytes;
}

const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0;
const codeOf = (bits: number): number => CODES[bits & 63] ?? PAD;
const valueAt = (text: string, at: number): number => VALUES[text.charCodeAt(at)] ?? 255;
