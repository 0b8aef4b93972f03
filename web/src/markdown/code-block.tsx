/** Code, with its language, to be copied, wrapped and coloured. The colours come when they are loaded; the code is there before. */

import { Check, Copy, WrapText } from "lucide";
import type { ComponentChild, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n/language.ts";
import { IconButton } from "../ui/button.tsx";
import { copyText } from "../ui/clipboard.ts";
import styles from "./code.module.css";

/** Longer code stays plain: colouring it would be felt. */
const LONGEST = 60_000;
/** While code grows, this long between two times of colouring it. */
const PAUSE_MS = 200;
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
  const isLate = coloured === null || coloured.code !== code;
  useEffect(() => {
    if (language === "" || code.length > LONGEST || !isLate) return;
    let isCurrent = true;
    const colour = (): void => {
      void import("./highlight.ts").then(
        async ({ highlight }) => {
          const parts = await highlight(code, language);
          if (isCurrent && parts !== null) setColoured({ code, parts });
        },
        () => undefined, // it cannot be loaded now: code is read without colours too
      );
    };
    const timer = setTimeout(colour, isGrowing ? PAUSE_MS : 0);
    return () => {
      isCurrent = false;
      if (!isGrowing) clearTimeout(timer);
    };
  }, [isGrowing ? Math.floor(code.length / 160) : code, language, isGrowing]);
  return coloured !== null && code.startsWith(coloured.code) ? coloured : null;
}
