/** The tools that an agent used, each with what it got and gave. */

import { ChevronRight, CircleX, Wrench } from "lucide";
import type { JSX } from "preact";
import { duration } from "../app/dates.ts";
import type { Message } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Icon } from "../ui/icon.tsx";
import styles from "./tools.module.css";

type Tool = Message["tools"][number];

export function Tools({ tools }: { tools: readonly Tool[] }): JSX.Element {
  return (
    <ul class={styles["list"]}>
      {tools.map((tool, place) => (
        <li key={tool.toolId || place}>
          <details>
            <summary>
              <span class={styles["chevron"]}>
                <Icon of={ChevronRight} size={16} />
              </span>
              <Icon of={tool.isError ? CircleX : Wrench} size={16} />
              <span class={styles["name"]}>{tool.name}</span>
              {tool.isError && <span class={styles["failed"]}>{t("automation.toolFailed")}</span>}
              <span class={styles["time"]}>
                {tool.durationMs !== null
                  ? duration(tool.durationMs / 1000)
                  : tool.output === null
                    ? t("automation.status.running")
                    : ""}
              </span>
            </summary>
            <Text label={t("automation.toolInput")} text={textOf(tool.input)} />
            {tool.output !== null && <Text label={t("automation.toolOutput")} text={tool.output} />}
          </details>
        </li>
      ))}
    </ul>
  );
}

const Text = ({ label, text }: { label: string; text: string }): JSX.Element => (
  <div class={styles["part"]}>
    <p>{label}</p>
    <pre tabIndex={0} role="region" aria-label={label}>
      {text}
    </pre>
  </div>
);

const textOf = (input: unknown): string => (typeof input === "string" ? input : JSON.stringify(input, null, 2));
