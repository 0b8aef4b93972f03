/** What became of a question, in words. */

import { t } from "../i18n/language.ts";
import type { Outcome } from "../protocol/messages.ts";
import { visibleText } from "./visible.ts";

/** `by`: the name of a device, an address, or a rule; null for this very page, or for nobody. */
export function outcomeWords(outcome: string, by: string | null): string {
  if (outcome === "expired") return t("approval.expired");
  if (!isAnswer(outcome)) return t("approval.cancelled");
  if (by === null) return t(`approvals.${outcome}`);
  if (/^rule \S+$/.test(by)) return t("approvals.byRule");
  const values = { device: visibleText(by) };
  return isAddress(by) ? t(`approvals.${outcome}.from`, values) : t(`approvals.${outcome}.on`, values);
}

const isAnswer = (outcome: string): outcome is Exclude<Outcome, "expired" | "cancelled"> =>
  outcome === "allow_once" || outcome === "allow_always" || outcome === "deny";

const isAddress = (by: string): boolean => /^\d+\.\d+\.\d+\.\d+$|^[\da-f:]*:[\da-f:.]*$/i.test(by);

/** Such as `4:59`. */
export function timeLeft(expiresAt: number, now: number): string {
  const left = Math.max(0, Math.round(expiresAt - now));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
}
