const MAX_CHARS = 80;

/** What something is called that nobody gave a name. */
export function firstLine(text: string): string {
  const line = (text.trim().split("\n", 1)[0] ?? "").replace(/\s+/g, " ").trim();
  const points = [...line];
  return points.length <= MAX_CHARS ? line : `${points.slice(0, MAX_CHARS - 1).join("")}…`;
}
