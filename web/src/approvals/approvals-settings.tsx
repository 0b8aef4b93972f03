/** What agents may do without being asked, and what they asked for: a section of the settings. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { dateTime, relative, wholeMoment } from "../app/dates.ts";
import { sentenceOf, toast, toastError } from "../app/toasts.tsx";
import { GatewayError } from "../gateway/errors.ts";
import type { PastApproval, Rule } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { Exact } from "./exact.tsx";
import { outcomeWords } from "./outcome.ts";
import { visibleText } from "./visible.ts";
import styles from "./approvals-settings.module.css";

const PAGE = 30;

export function ApprovalsSettings(): JSX.Element {
  return (
    <div class={styles["sections"]}>
      <Rules />
      <History />
    </div>
  );
}

function Rules(): JSX.Element {
  const { gateway, hello } = useGateway();
  const [rules, setRules] = useState<readonly Rule[] | null>(null);
  const [trouble, setTrouble] = useState<GatewayError | null>(null);
  const [revoking, setRevoking] = useState<string | null>(null);
  const load = (): void => void read(gateway.api.approvals.rules(), setRules, setTrouble);
  useEffect(load, [hello.value]);

  const revoke = async ({ id }: Rule): Promise<void> => {
    setRevoking(id);
    try {
      await gateway.api.approvals.revoke(id).catch((error: unknown) => {
        if (!(error instanceof GatewayError && error.code === "not_found")) throw error; // else gone, as was asked for
      });
      setRules((known) => known?.filter((rule) => rule.id !== id) ?? null);
      toast({ text: t("approvals.revoked") });
    } finally {
      setRevoking(null);
    }
  };
  return (
    <section class={styles["section"]}>
      <h2>{t("approvals.rules")}</h2>
      <p class={styles["hint"]}>{t("approvals.rulesHint")}</p>
      {trouble !== null && <Trouble error={trouble} onRetry={load} />}
      {rules?.length === 0 && <p class={styles["none"]}>{t("approvals.noRules")}</p>}
      {rules !== null && rules.length > 0 && (
        <ul class={styles["list"]}>
          {rules.map((rule) => (
            <li key={rule.id} class={styles["rule"]}>
              <div class={styles["words"]}>
                <p>{t("approvals.rule", { agent: visibleText(rule.agent), tool: visibleText(rule.tool) })}</p>
                <pre class={styles["pattern"]}>
                  <code>
                    <Exact text={rule.pattern} />
                  </code>
                </pre>
                <p class={styles["hint"]} title={wholeMoment(rule.createdAt)}>
                  {rule.madeBy === null
                    ? t("approvals.ruleMade", { when: relative(rule.createdAt) })
                    : t("approvals.ruleMadeBy", {
                        device: visibleText(rule.madeBy),
                        when: relative(rule.createdAt),
                      })}
                </p>
              </div>
              <Button
                tone="danger"
                isBusy={revoking === rule.id}
                aria-label={t("approvals.revokeThis", {
                  tool: visibleText(rule.tool),
                  pattern: visibleText(rule.pattern),
                })}
                onClick={() => void revoke(rule).catch(toastError)}
              >
                {t("approvals.revoke")}
              </Button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function History(): JSX.Element {
  const { gateway, hello } = useGateway();
  const [past, setPast] = useState<readonly PastApproval[] | null>(null);
  const [hasMore, setMore] = useState(false);
  const [trouble, setTrouble] = useState<GatewayError | null>(null);
  const load = (before?: PastApproval): void => {
    const wanted = before === undefined ? { limit: PAGE } : { limit: PAGE, before: before.id };
    const show = (page: readonly PastApproval[]): void => {
      setPast((known) => (before === undefined ? page : [...(known ?? []), ...page]));
      setMore(page.length === PAGE);
    };
    void read(gateway.api.approvals.history(wanted), show, setTrouble);
  };
  useEffect(() => {
    const first = (): void => load();
    first();
    return gateway.approvals.settlements.add(first);
  }, [hello.value]);
  return (
    <section class={styles["section"]}>
      <h2>{t("approvals.history")}</h2>
      <p class={styles["hint"]}>{t("approvals.historyHint")}</p>
      {past?.length === 0 && <p class={styles["none"]}>{t("approvals.noHistory")}</p>}
      {past !== null && past.length > 0 && (
        <ul class={styles["list"]}>
          {past.map((one) => (
            <li key={one.id} class={styles["past"]}>
              <p class={styles["subject"]}>
                <span>
                  {visibleText(one.agent)} · {visibleText(one.tool)}
                </span>
                <code>
                  <Exact text={one.summary} />
                </code>
              </p>
              <p class={styles["outcome"]}>
                <strong>
                  {one.decision === null ? t("approvals.stillWaiting") : outcomeWords(one.decision, one.decidedBy)}
                </strong>
                <time dateTime={new Date(one.askedAt * 1000).toISOString()} title={wholeMoment(one.askedAt)}>
                  {dateTime(one.askedAt)}
                </time>
              </p>
            </li>
          ))}
        </ul>
      )}
      {trouble !== null && <Trouble error={trouble} onRetry={() => load(past?.at(-1))} />}
      {hasMore && trouble === null && (
        <p>
          <Button tone="quiet" onClick={() => load(past?.at(-1))}>
            {t("approvals.more")}
          </Button>
        </p>
      )}
    </section>
  );
}

function Trouble({ error, onRetry }: { error: GatewayError; onRetry: () => void }): JSX.Element {
  return (
    <div class={styles["trouble"]} role="alert">
      <p>{sentenceOf(error)}</p>
      <Button onClick={onRetry}>{t("approvals.tryAgain")}</Button>
    </div>
  );
}

async function read<T>(
  asked: Promise<T>,
  show: (value: T) => void,
  setTrouble: (error: GatewayError | null) => void,
): Promise<void> {
  try {
    show(await asked);
    setTrouble(null);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    setTrouble(error);
  }
}
