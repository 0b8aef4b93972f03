import type { Translated } from "../catalogue.ts";
import type { approvals as english } from "../en/approvals.ts";

export const approvals: Translated<typeof english> = {
  "approval.allow_once": "Einmal erlauben",
  "approval.allow_always": "Genau das immer erlauben",
  "approval.deny": "Ablehnen",
  "approval.expired": "Niemand hat rechtzeitig geantwortet",
  "approval.cancelled": "Wird nicht mehr gebraucht",
  "approval.waiting": { one: "Eine Sache wartet auf deine Antwort", other: "{count} Sachen warten auf deine Antwort" },
};
