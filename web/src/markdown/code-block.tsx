/** Code, with its language, to be copied, wrapped and coloured. The colours come when they are loaded; the code is there before. */

import { Check, Copy, WrapText } from "lucide";
import type { ComponentChild, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n/language.ts";
import { IconButton } from "../ui/button.tsx";
import { copyText } from "../ui/clipboard.ts";
import styles from "./code.module.css";

/** Longer code stays plain: colouring it would be felt. What grows is coloured again and again, so that less of it is. */
const LONGEST = 40_000;
const LONGEST_GROWING = 12_000;
/** While code grows, at least so long between two times of colouring it, and so many times as long as it took. */
const PAUSE_MS = 150;
const PAUSE_FACTOR = 8;
const COPIED_MS = 2_000;

interface CodeBlockGiven {
  readonly text: string;
  /** What stands behind the fence; its first word is the language. */
  readonly info: string;
  readonly isGrowing: boolean;
}

export function CodeBlock({ text, info, isGrowing }: CodeBlockGiven): JSX.Element {
  const language = /^[\w+#.-]{1,30}/.exec(info.trim())?.[0] ?? "";
  const code = text.replace(/\n$/, "");
  const coloured = useColours(code, language, isGrowing);
  const [isWrapped, setWrapped] = useState(false);
  const [isCopied, setCopied] = useState(false);
  const name = language === "" ? t("markdown.code") : t("markdown.codeIn", { language });
  const copy = (): void => {
    void copyText(code).then((isThere) => {
      setCopied(isThere);
      setTimeout(() => setCopied(false), COPIED_MS);
    });
  };
  return (
    <figure class={styles["block"]} dir="ltr">
      <figcaption class={styles["head"]}>
        <span>{language}</span>
        <IconButton
          icon={WrapText}
          size={15}
          label={t("markdown.wrap")}
          aria-pressed={isWrapped}
          onClick={() => setWrapped(!isWrapped)}
        />
        <IconButton
          icon={isCopied ? Check : Copy}
          size={15}
          label={t(isCopied ? "markdown.copied" : "markdown.copy")}
          onClick={copy}
        />
      </figcaption>
      <pre class={isWrapped ? styles["wrapped"] : ""} role="region" aria-label={name} tabIndex={0}>
        <code>{coloured === null ? code : [...coloured.parts, code.slice(coloured.code.length)]}</code>
      </pre>
    </figure>
  );
}

interface Coloured {
  readonly code: string;
  readonly parts: readonly ComponentChild[];
}

/** The beginning of the code that is coloured already, or null. */
function useColours(code: string, language: string, isGrowing: boolean): Coloured | null {
  const [coloured, setColoured] = useState<Coloured | null>(null);
  const latest = useRef("");
  const colouring = useRef<ReturnType<typeof setTimeout> | null>(null);
  const pause = useRef(PAUSE_MS);
  latest.current = code;
  const most = isGrowing ? LONGEST_GROWING : LONGEST;
  useEffect(() => () => clearTimeout(colouring.current ?? undefined), []);
  useEffect(() => {
    if (language === "" || code.length > most || coloured?.code === code) return;
    if (!isGrowing) clearTimeout(colouring.current ?? undefined);
    else if (colouring.current !== null) return; // it will take what is there by then
    const colour = async (): Promise<void> => {
      const { highlight } = await import("./highlight.ts");
      const text = latest.current;
      const done = await highlight(text, language);
      colouring.current = null;
      if (done === null) return;
      pause.current = Math.max(PAUSE_MS, PAUSE_FACTOR * done.took);
      if (latest.current.startsWith(text)) setColoured({ code: text, parts: done.parts });
    };
    colouring.current = setTimeout(
      () => void colour().catch(() => (colouring.current = null)), // it cannot be loaded now: code is read without colours too
      isGrowing ? pause.current : 0,
    );
  }, [code, language, isGrowing, coloured]);
  return coloured !== null && code.startsWith(coloured.code) ? coloured : null;
}
