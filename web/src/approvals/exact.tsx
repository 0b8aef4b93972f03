/** Text to decide by: to the letter, in its order, with marks for what cannot be seen. What is long scrolls. */

import type { JSX } from "preact";
import { t } from "../i18n/language.ts";
import { visible } from "./visible.ts";
import styles from "./exact.module.css";

/** More than fits on a phone at once: then it is told how much there is. */
const MANY_LINES = 10;
const MANY_CHARS = 600;

export function Exact({ text }: { text: string }): JSX.Element {
  return (
    <>
      {visible(text).map((part, place) =>
        part.isMark ? (
          <span key={place} class={styles["mark"]}>
            {part.text}
          </span>
        ) : (
          part.text
        ),
      )}
    </>
  );
}

export function ExactBox({ label, text }: { label: string; text: string }): JSX.Element {
  const lines = text.split("\n").length;
  const isLong = lines > MANY_LINES || text.length > MANY_CHARS;
  return (
    <div class={styles["part"]}>
      <p class={styles["label"]}>
        <Exact text={label} />
        {isLong && (
          <span class={styles["size"]}>
            {t("approvals.lines", { count: lines })}, {t("approvals.characters", { count: text.length })}
          </span>
        )}
      </p>
      <pre class={styles["box"]} tabIndex={0} role="region" aria-label={label}>
        <code>
          <Exact text={text} />
        </code>
      </pre>
    </div>
  );
}
