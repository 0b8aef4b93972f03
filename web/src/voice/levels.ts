/** How loud it was, for drawing: the last levels, each from 0 to 1. Pure. */

/** The loudness of samples around 128, as an analyser gives them; speech fills most of the span. */
export function levelOf(samples: Uint8Array): number {
  let sum = 0;
  for (const sample of samples) sum += (sample - 128) ** 2;
  const loudness = Math.sqrt(sum / Math.max(1, samples.length)) / 128;
  return Math.min(1, Math.sqrt(loudness) * 1.4);
}

/** `levels` with one more, and not more than `most`. */
export const withLevel = (levels: readonly number[], level: number, most: number): readonly number[] =>
  [...levels, level].slice(-most);

/** As a clock shows it. */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
