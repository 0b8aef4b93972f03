/** One question of an agent: what it wants to do, all of it, and the answers. Afterwards, for a moment, what became of it. */

import { Ban, Check, Hourglass, ShieldQuestion } from "lucide";
import type { JSX } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { keysForPeople } from "../app/commands.ts";
import { sentenceOf } from "../app/toasts.tsx";
import { t } from "../i18n/language.ts";
import type { Decision } from "../protocol/messages.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import type { Card, Cards } from "./cards.ts";
import { Exact, ExactBox } from "./exact.tsx";
import { Guard } from "./guard.ts";
import { outcomeWords, timeLeft } from "./outcome.ts";
import { partsOf, scopeOf, summaryOf } from "./subject.ts";
import { visibleText } from "./visible.ts";
import styles from "./card.module.css";

const KEYS: Readonly<Record<Decision, string>> = { allow_once: "y", allow_always: "a", deny: "n" };
const SOON_S = 60;

interface ApprovalCardGiven {
  readonly card: Card;
  readonly cards: Cards;
  /** The chat in which it is asked, where that is not the one that is looked at. */
  readonly chat?: JSX.Element;
  /** Changes whenever cards may have moved on the screen. */
  readonly order: string;
  /** It had the keyboard, and is answered. */
  readonly onLeave: () => void;
}

export function ApprovalCard({ card, cards, chat, order, onLeave }: ApprovalCardGiven): JSX.Element {
  const { request, answering, end, trouble } = card;
  const element = useRef<HTMLElement>(null);
  const guard = useRef(new Guard(performance.now())).current;
  const titleId = useId();
  const isOver = end !== null;
  useLayoutEffect(() => guard.moved(performance.now()), [order]);
  useEffect(() => {
    if (isOver && element.current?.contains(document.activeElement) === true) onLeave();
  }, [isOver]);

  const answer = (decision: Decision): void => {
    element.current?.focus(); // its buttons cannot keep the keyboard while they cannot be pressed
    void cards.answer(request.id, decision);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const decision = request.options.find((one) => KEYS[one] === event.key.toLowerCase());
    if (decision === undefined || isOver) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat && guard.takesKey(performance.now())) answer(decision);
  };
  return (
    <article
      ref={element}
      class={styles["card"]}
      data-waiting={!isOver || undefined}
      tabIndex={-1}
      aria-labelledby={titleId}
      onKeyDown={onKeyDown}
      onFocusIn={({ relatedTarget }) => {
        const isFromInside = relatedTarget instanceof Node && element.current?.contains(relatedTarget) === true;
        if (!isFromInside) guard.focused(performance.now());
      }}
    >
      <header class={styles["head"]}>
        <span class={styles["sign"]}>
          <Icon of={ShieldQuestion} />
        </span>
        <h3 id={titleId}>
          {t("approvals.title", { agent: visibleText(request.agent), tool: visibleText(request.tool) })}
        </h3>
        {!isOver && <TimeLeft expiresAt={request.expiresAt} />}
      </header>
      {chat}
      {isOver ? (
        <Ending card={card} />
      ) : (
        <>
          <Subject card={card} />
          <div class={styles["answers"]}>
            {request.options.map((decision) => (
              <Button
                key={decision}
                tone={decision === "allow_once" ? "primary" : "plain"}
                isBusy={answering !== null}
                aria-keyshortcuts={KEYS[decision]}
                onClick={() => {
                  if (guard.takesPress(performance.now())) answer(decision);
                }}
              >
                {t(`approval.${decision}`)}
                <kbd class={styles["key"]} aria-hidden="true">
                  {keysForPeople(KEYS[decision])}
                </kbd>
              </Button>
            ))}
          </div>
          {trouble !== null && (
            <p class={styles["trouble"]} role="alert">
              {trouble.code === "connection_lost" ? t("approvals.unsure") : sentenceOf(trouble)}
            </p>
          )}
        </>
      )}
    </article>
  );
}

function Subject({ card: { request } }: { card: Card }): JSX.Element {
  const summary = summaryOf(request);
  const parts = partsOf(request);
  const scope = scopeOf(request);
  return (
    <div class={styles["subject"]}>
      {summary !== null && (
        <p class={styles["summary"]}>
          <Exact text={summary} />
        </p>
      )}
      {parts.map(({ name, text }) => (
        <ExactBox key={name} label={name ?? t("approvals.input")} text={text} />
      ))}
      {request.truncated && <p class={styles["warning"]}>{t("approvals.truncated")}</p>}
      {request.options.includes("allow_always") && (
        <div class={styles["hint"]}>
          <p>{t(`approvals.always.${scope}`)}</p>
          {(scope === "host" || scope === "other") && (
            <code class={styles["pattern"]}>
              <Exact text={request.pattern} />
            </code>
          )}
        </div>
      )}
    </div>
  );
}

function Ending({ card: { request, end } }: { card: Card }): JSX.Element | null {
  if (end === null) return null;
  const { outcome, by, isOurs } = end;
  const icon = outcome === "deny" ? Ban : outcome === "expired" || outcome === "cancelled" ? Hourglass : Check;
  const summary = request.summary || partsOf(request)[0]?.text || "";
  return (
    <div class={styles["ending"]} data-outcome={outcome}>
      <p class={styles["outcome"]}>
        <Icon of={icon} size={16} />
        {outcomeWords(outcome, isOurs ? null : by)}
      </p>
      <p class={styles["what"]}>
        <Exact text={summary} />
      </p>
    </div>
  );
}

function TimeLeft({ expiresAt }: { expiresAt: number }): JSX.Element {
  const [now, setNow] = useState(Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, []);
  const left = expiresAt - now;
  return (
    <span class={styles["time"]} data-soon={left < SOON_S || undefined} title={t("approvals.timeHint")}>
      <Icon of={Hourglass} size={14} />
      <span class="visually-hidden">{t("approvals.timeLeft")} </span>
      {timeLeft(expiresAt, now)}
    </span>
  );
}
