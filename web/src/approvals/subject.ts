/** What an agent wants to do, as parts that people read. */

import type { ApprovalRequest } from "../protocol/messages.ts";
import { isFields } from "../protocol/json.ts";
import { visible } from "./visible.ts";

export interface Part {
  /** Null for an input that is no list of named fields. */
  readonly name: string | null;
  readonly text: string;
}

/** All that the tool gets. Nothing of it is left out: what is long scrolls. */
export function partsOf({ input }: Pick<ApprovalRequest, "input">): readonly Part[] {
  if (input === null) return [];
  if (!isFields(input)) return [{ name: null, text: textOf(input) }];
  return Object.entries(input).map(([name, value]) => ({ name, text: textOf(value) }));
}

/** The gateway's one line about it, where the parts do not say the same. */
export function summaryOf(request: Pick<ApprovalRequest, "input" | "summary">): string | null {
  const summary = inOneLine(request.summary.replace(/…$/, ""));
  const isSaid = partsOf(request).some(({ text }) => inOneLine(text).includes(summary));
  return summary === "" || isSaid ? null : request.summary;
}

/** `other`: nothing that this version knows; the pattern itself says it. */
export type RuleScope = "file" | "host" | "command" | "input" | "other";

/** What of the input a rule would look at. The gateway decides; this only finds it again, to say it in words. */
export function scopeOf(request: Pick<ApprovalRequest, "input" | "pattern">): RuleScope {
  const { input, pattern } = request;
  const parts = partsOf(request);
  const found = parts.find(({ text }) => text === pattern)?.name;
  if (found === "file_path" || found === "notebook_path") return "file";
  if (found === "command") return "command";
  if (parts.some(({ name, text }) => name === "url" && isOrigin(pattern) && text.startsWith(pattern))) return "host";
  return canonical(parsed(pattern)) === canonical(input) ? "input" : "other";
}

/** As a summary is made: one line, in which nothing is hidden. */
const inOneLine = (text: string): string =>
  visible(text.replace(/\s+/g, " "))
    .map((part) => (part.isMark ? "\ufffd" : part.text))
    .join("")
    .trim();

function parsed(pattern: string): unknown {
  try {
    return JSON.parse(pattern);
  } catch {
    return undefined;
  }
}

/** The same text for the same values, in whatever order their fields are told. */
const canonical = (value: unknown): string | undefined =>
  JSON.stringify(value, (_name, inner: unknown) =>
    isFields(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );

const isOrigin = (text: string): boolean => /^https?:\/\/[^/]+$/.test(text);

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
