/** The tools that an agent used, as a quiet timeline: a line for each, which opens to what went in and what came out. */

import {
  Bot,
  Check,
  ChevronRight,
  CircleSlash,
  Copy,
  FilePen,
  FilePlus,
  FileText,
  Globe,
  Lightbulb,
  ListChecks,
  ListTodo,
  LoaderCircle,
  Search,
  Terminal,
  TriangleAlert,
  Wrench,
  type IconNode,
} from "lucide";
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { duration } from "../app/dates.ts";
import { t } from "../i18n/language.ts";
import type { ToolPart } from "../state/turns.ts";
import { IconButton } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { memo } from "../ui/memo.ts";
import { stepsOf } from "./blocks.ts";
import { useConversation } from "./context.ts";
import { useCopying } from "./copying.ts";
import { inputOf, kindOf, shortName, summaryOf, type ToolKind } from "./tool-words.ts";
import styles from "./steps.module.css";

const ICONS: Readonly<Record<ToolKind, IconNode>> = {
  command: Terminal,
  read: FileText,
  edit: FilePen,
  write: FilePlus,
  search: Search,
  web: Globe,
  think: Lightbulb,
  agent: Bot,
  plan: ListTodo,
  other: Wrench,
};

interface StepsGiven {
  readonly id: string;
  readonly tools: readonly ToolPart[];
}

export function Steps({ id, tools }: StepsGiven): JSX.Element {
  return (
    <ol class={styles["steps"]}>
      {stepsOf(tools).map((step) =>
        step.kind === "tool" ? (
          <Tool key={step.place} id={`${id} ${step.place}`} tool={step.tool} />
        ) : (
          <Folded key={`folded${step.place}`} id={id} from={step.place} tools={step.tools} />
        ),
      )}
    </ol>
  );
}

function Folded({ id, from, tools }: StepsGiven & { readonly from: number }): JSX.Element {
  const { memory } = useConversation();
  const isOpen = memory.fold(`${id} folded ${from}`);
  return (
    <>
      <li class={styles["step"]}>
        <button
          type="button"
          class={styles["head"]}
          aria-expanded={isOpen.value}
          onClick={() => (isOpen.value = !isOpen.peek())}
        >
          <span class={styles["icon"]}>
            <Icon of={ListChecks} size={16} />
          </span>
          <span class={styles["name"]}>{t("conversation.steps", { count: tools.length })}</span>
          <span class={styles["summary"]}>{isOpen.value ? "" : namesOf(tools)}</span>
          <Chevron />
        </button>
      </li>
      {isOpen.value && tools.map((tool, at) => <Tool key={from + at} id={`${id} ${from + at}`} tool={tool} />)}
    </>
  );
}

const namesOf = (tools: readonly ToolPart[]): string =>
  [...new Set(tools.map(({ name }) => shortName(name)))].slice(0, 6).join(", ");

const Tool = memo(function Tool({ id, tool }: { id: string; tool: ToolPart }): JSX.Element {
  const { memory } = useConversation();
  const isOpen = memory.fold(id);
  const details = useId();
  const state = stateOf(tool);
  return (
    <li class={styles["step"]} data-state={state}>
      <button
        type="button"
        class={styles["head"]}
        aria-expanded={isOpen.value}
        aria-controls={details}
        onClick={() => (isOpen.value = !isOpen.peek())}
      >
        <span class={styles["icon"]}>
          <Icon of={ICONS[kindOf(tool.name)]} size={16} />
        </span>
        <span class={styles["name"]}>{shortName(tool.name)}</span>
        <span class={styles["summary"]}>{summaryOf(tool.name, tool.input)}</span>
        <span class={styles["state"]}>
          <Icon of={STATE_ICONS[state]} size={14} />
          <span class={styles["word"]}>{t(`conversation.tool.${state}`)}</span>
          {tool.durationMs !== null && tool.durationMs >= LEAST_MS && <span>{duration(tool.durationMs / 1000)}</span>}
        </span>
        <Chevron />
      </button>
      <div id={details} class={styles["details"]} hidden={!isOpen.value}>
        {isOpen.value && <Details tool={tool} />}
      </div>
    </li>
  );
});

/** Less is no time to people. */
const LEAST_MS = 100;

type ToolState = "running" | "failed" | "done" | "stopped";

const STATE_ICONS: Readonly<Record<ToolState, IconNode>> = {
  running: LoaderCircle,
  failed: TriangleAlert,
  done: Check,
  stopped: CircleSlash,
};

function stateOf({ isRunning, isError, output }: ToolPart): ToolState {
  if (isRunning) return "running";
  if (isError) return "failed";
  return output === null ? "stopped" : "done";
}

function Details({ tool }: { tool: ToolPart }): JSX.Element {
  const input = inputOf(tool.name, tool.input);
  const output = tool.output ?? "";
  return (
    <>
      {input.text !== "" && (
        <Sample title={input.isCommand ? t("conversation.command") : t("conversation.input")} text={input.text} />
      )}
      {output !== "" && <Sample title={t("conversation.output")} text={output} />}
      {input.text === "" && output === "" && <p class={styles["note"]}>{t("conversation.noDetails")}</p>}
      {tool.isTruncated && <p class={styles["note"]}>{t("conversation.truncated")}</p>}
    </>
  );
}

function Sample({ title, text }: { title: string; text: string }): JSX.Element {
  const copying = useCopying();
  return (
    <figure class={styles["sample"]}>
      <figcaption>
        <span>{title}</span>
        <IconButton
          icon={copying.icon(Copy)}
          size={14}
          label={t("conversation.copyThis", { what: title })}
          onClick={() => copying.copy(text)}
        />
      </figcaption>
      <pre tabIndex={0} aria-label={title}>
        {text}
      </pre>
    </figure>
  );
}

const Chevron = (): JSX.Element => (
  <span class={styles["chevron"]}>
    <Icon of={ChevronRight} size={15} />
  </span>
);
