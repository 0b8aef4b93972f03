/** What an agent did and said in one turn, in its order, and how it ended. */

import { useComputed } from "@preact/signals";
import { CircleAlert, CircleSlash, Clock, RotateCw, Square } from "lucide";
import type { ComponentChildren, JSX } from "preact";
import { useGateway } from "../app/context.ts";
import { FileCard } from "../files/file-card.tsx";
import { t, tOf } from "../i18n/language.ts";
import { Markdown } from "../markdown/markdown.tsx";
import { isOver, type Turn } from "../state/turns.ts";
import { Avatar } from "../ui/avatar.tsx";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { memo } from "../ui/memo.ts";
import { blocksOf, type Block } from "./blocks.ts";
import { useConversation } from "./context.ts";
import { AnswerFooter } from "./answer-footer.tsx";
import { withoutFileTags } from "./plain-text.ts";
import { Steps } from "./steps.tsx";
import { Thinking } from "./thinking.tsx";
import { shortName } from "./tool-words.ts";
import styles from "./answer.module.css";

export function Answer({ turn }: { turn: Turn }): JSX.Element {
  const { agent, agentTitle } = useConversation();
  if (turn.status === "queued") {
    return (
      <p class={styles["queued"]}>
        <Icon of={Clock} size={15} />
        {t("turn.queued")}
      </p>
    );
  }
  const isRunning = !isOver(turn);
  const blocks = blocksOf(turn.parts);
  return (
    <section class={styles["answer"]} aria-busy={isRunning || undefined}>
      <div class={styles["who"]}>
        <Avatar agent={agent} size={24} />
        <h3>{agentTitle}</h3>
      </div>
      {blocks.map((block, place) => (
        <OneBlock key={block.key} turnId={turn.id} block={block} isGrowing={isRunning && place === blocks.length - 1} />
      ))}
      {turn.files.length > 0 && (
        <div class={styles["files"]}>
          {turn.files.map((file) => (
            <FileCard key={file.path} file={file} />
          ))}
        </div>
      )}
      <Ending turn={turn} />
      {isRunning ? <Busy turn={turn} /> : <AnswerFooter turn={turn} />}
    </section>
  );
}

interface BlockGiven {
  readonly turnId: string;
  readonly block: Block;
  /** More of it may come. */
  readonly isGrowing: boolean;
}

function OneBlock({ turnId, block, isGrowing }: BlockGiven): JSX.Element {
  switch (block.kind) {
    case "text":
      return <Words text={block.text} isGrowing={isGrowing} />;
    case "thinking":
      return <Thinking turnId={turnId} place={block.place} text={block.text} isGrowing={isGrowing} />;
    case "steps":
      return <Steps id={`${turnId} ${block.key}`} tools={block.tools} />;
  }
}

const Words = memo(function Words({ text, isGrowing }: { text: string; isGrowing: boolean }): JSX.Element | null {
  const words = withoutFileTags(text, isGrowing);
  return words.trim() === "" ? null : <Markdown text={words} isStreaming={isGrowing} />;
});

/** What the agent is busy with. It is as high as the footer that comes in its place, so that nothing jumps. */
function Busy({ turn }: { turn: Turn }): JSX.Element {
  const { stop } = useConversation();
  const { approvals } = useGateway();
  const isAsking = useComputed(() => approvals.value.some(({ turnId }) => turnId === turn.id)).value;
  return (
    <div class={styles["busy"]}>
      <span class={styles["dots"]} aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <span class={styles["label"]}>{isAsking ? t("conversation.asking") : labelOf(turn)}</span>
      <Button tone="quiet" icon={Square} onClick={stop}>
        {t("conversation.stop")}
      </Button>
    </div>
  );
}

function labelOf({ label, parts }: Turn): string {
  const last = parts.at(-1);
  if (last?.kind === "tool" && last.isRunning) return t("conversation.runningTool", { name: shortName(last.name) });
  if (label !== null && label !== "thinking") return label;
  if (last?.kind === "thinking" || label === "thinking") return t("conversation.thinking");
  return last?.kind === "text" ? t("conversation.writing") : t("conversation.working");
}

/** Why there is no answer, or not the whole one. */
function Ending({ turn }: { turn: Turn }): JSX.Element | null {
  const { retry } = useConversation();
  switch (turn.status) {
    case "failed": {
      const code = turn.error?.code ?? "internal_error";
      return (
        <Notice icon={CircleAlert} tone="danger" title={t("turn.failed")} onRetry={() => retry(turn)}>
          <p>{tOf("error", code, "error.internal_error")}</p>
          {code !== "internal_error" && <p>{turn.error?.message}</p>}
        </Notice>
      );
    }
    case "aborted":
    case "interrupted":
      return (
        <Notice icon={CircleSlash} tone="quiet" title={t(`turn.${turn.status}`)} onRetry={() => retry(turn)}>
          <p>{tOf("reason", turn.reason ?? turn.status, "reason.other")}</p>
        </Notice>
      );
    case "queued":
    case "running":
    case "done":
      return null;
  }
}

interface NoticeGiven {
  readonly icon: typeof CircleAlert;
  readonly tone: "danger" | "quiet";
  readonly title: string;
  readonly onRetry: () => void;
  readonly children: ComponentChildren;
}

function Notice({ icon, tone, title, onRetry, children }: NoticeGiven): JSX.Element {
  return (
    <div class={`${styles["notice"]} ${styles[tone]}`}>
      <Icon of={icon} />
      <div>
        <strong>{title}</strong>
        {children}
      </div>
      <Button icon={RotateCw} onClick={onRetry}>
        {t("conversation.retry")}
      </Button>
    </div>
  );
}
