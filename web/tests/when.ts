/** Waiting in tests, never for longer than the test may take. */

const LIMIT_MS = 15_000;
const LOOK_EVERY_MS = 4;

/** Until `look` gives something that is neither false, null nor undefined. */
export async function when<T>(look: () => T | Promise<T>, what: string, limitMs = LIMIT_MS): Promise<NonNullable<T>> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== null && seen !== undefined) return seen;
    if (Date.now() > deadline) throw new Error(`it never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
