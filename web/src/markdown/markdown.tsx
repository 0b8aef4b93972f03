/**
 * What an agent says, drawn. The parser is loaded beside the rest of the page: until it is there, which is a moment, people read the text as it
 * is written.
 */

import { signal } from "@preact/signals";
import type { ComponentType, JSX } from "preact";
import styles from "./markdown.module.css";

interface MarkdownGiven {
  readonly text: string;
  /** More of it is to come. */
  readonly isStreaming?: boolean;
}

const elements = signal<ComponentType<MarkdownGiven> | null>(null);
let loading: Promise<void> | null = null;

/** Where it cannot be loaded now, it is tried again with the next text. */
function load(): void {
  loading ??= import("./elements.tsx").then(
    ({ Elements }) => void (elements.value = Elements),
    () => void (loading = null),
  );
}

load();

export function Markdown(given: MarkdownGiven): JSX.Element {
  const Elements = elements.value;
  if (Elements !== null) return <Elements {...given} />;
  load();
  return <div class={`${styles["markdown"]} ${styles["written"]}`}>{given.text}</div>;
}
