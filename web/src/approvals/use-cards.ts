/** The cards of the gateway that is looked at: the same for all that show them. */

import { announce } from "../app/announcer.tsx";
import { useGateway } from "../app/context.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { t } from "../i18n/language.ts";
import type { ApprovalRequest } from "../protocol/messages.ts";
import { Cards, type Teller } from "./cards.ts";
import { outcomeWords } from "./outcome.ts";
import { visibleText } from "./visible.ts";

const known = new WeakMap<Gateway, Cards>();

export function useCards(): Cards {
  const { gateway } = useGateway();
  const cards = known.get(gateway) ?? new Cards(gateway.approvals, teller);
  known.set(gateway, cards);
  return cards;
}

const teller: Teller = {
  asked: (request) => announce(t("approvals.asked", wordsOf(request))),
  soonOver: (request) => announce(t("approvals.soonOver", wordsOf(request))),
  settled: (request, { outcome, by, isOurs }) =>
    announce(`${wordsOf(request).tool}: ${outcomeWords(outcome, isOurs ? null : by)}`),
};

const wordsOf = ({ agent, tool, summary }: ApprovalRequest): { agent: string; tool: string; summary: string } => ({
  agent: visibleText(agent),
  tool: visibleText(tool),
  summary: visibleText(summary),
});
