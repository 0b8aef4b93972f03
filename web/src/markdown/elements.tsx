/**
 * What an agent says, as elements. Markdown becomes tokens, and tokens become elements one by one: there is no HTML in between, so that
 * nothing but the elements below can ever come out.
 */

import type { Token } from "markdown-it";
import type { ComponentChild, JSX } from "preact";
import { useRef } from "preact/hooks";
import { t } from "../i18n/language.ts";
import { memo } from "../ui/memo.ts";
import { CodeBlock } from "./code-block.tsx";
import { GrowingMarkdown, type Block } from "./growing.ts";
import { hiddenHost, safeAddress, withoutTurns } from "./links.ts";
import styles from "./markdown.module.css";

interface MarkdownGiven {
  readonly text: string;
  /** More of it is to come. */
  readonly isStreaming?: boolean;
}

/** Of so many blocks the browser lays out only those in sight. */
const MANY = 40;

export function Elements({ text, isStreaming = false }: MarkdownGiven): JSX.Element {
  const growing = useRef<GrowingMarkdown | null>(null);
  growing.current ??= new GrowingMarkdown();
  const blocks = growing.current.read(text, isStreaming);
  return (
    <div class={styles["markdown"]} data-long={blocks.length > MANY || undefined}>
      {blocks.map((block) => (
        <OneBlock key={block.key} block={block} />
      ))}
    </div>
  );
}

const OneBlock = memo(function OneBlock({ block }: { block: Block }): JSX.Element {
  const { tokens, source, isOpen } = block;
  if (tokens === null) return <div class={styles["written"]}>{source}</div>;
  return <>{blocksOf(tokens, isOpen)}</>;
});

/** Elements by the tag that a token names; anything else is drawn as what is in it. */
const BLOCKS = new Set(["p", "blockquote", "ul", "ol", "li", "thead", "tbody", "tr", "th", "td"]);
const INLINES = new Set(["strong", "em", "s"]);
/** Headings of answers stand below those of the page. */
const HEADINGS: Readonly<Record<string, "h3" | "h4" | "h5" | "h6">> = {
  ...{ h1: "h3", h2: "h4", h3: "h5", h4: "h6", h5: "h6", h6: "h6" },
};

interface Open {
  readonly token: Token | null;
  readonly children: ComponentChild[];
}

/** Tokens with an opening and a closing one around what is in them, as a tree. */
function tree(
  tokens: readonly Token[],
  leaf: (token: Token) => ComponentChild,
  close: (open: Open) => ComponentChild,
): ComponentChild[] {
  const root: Open = { token: null, children: [] };
  const stack = [root];
  for (const token of tokens) {
    const top = stack.at(-1) ?? root;
    if (token.nesting === 1) stack.push({ token, children: [] });
    else if (token.nesting === 0) top.children.push(leaf(token));
    else if (stack.length > 1) {
      stack.pop();
      (stack.at(-1) ?? root).children.push(close(top));
    }
  }
  return root.children;
}

function blocksOf(tokens: readonly Token[], isOpen: boolean): ComponentChild[] {
  const leaf = (token: Token): ComponentChild => {
    switch (token.type) {
      case "inline":
        return inlineOf(token.children ?? []);
      case "fence":
      case "code_block":
        return <CodeBlock text={token.content} info={token.info} isGrowing={isOpen} />;
      case "hr":
        return <hr />;
      default:
        return token.content;
    }
  };
  return tree(tokens, leaf, ({ token, children }) => {
    const tag = token?.tag ?? "";
    const Heading = HEADINGS[tag];
    if (Heading !== undefined) return <Heading dir="auto">{children}</Heading>;
    if (tag === "table") return <Table>{children}</Table>;
    if (tag === "p" && token?.hidden === true) return <>{children}</>; // in a list without gaps
    if (!BLOCKS.has(tag)) return <>{children}</>;
    const Tag = tag as "p";
    return (
      <Tag dir="auto" {...attributesOf(token)}>
        {children}
      </Tag>
    );
  });
}

function attribute(token: Token | null, name: string): string | null {
  const value = token?.attrGet(name) ?? null;
  return value === null ? null : String(value);
}

/** Of a list its first number, of a cell its side. */
function attributesOf(token: Token | null): object {
  const start = Number(attribute(token, "start") ?? Number.NaN);
  const side = /^text-align:(left|center|right)$/.exec(attribute(token, "style") ?? "")?.[1];
  return {
    ...(token?.tag === "ol" && Number.isSafeInteger(start) ? { start } : {}),
    ...(side === undefined ? {} : { style: { textAlign: side } }),
  };
}

function Table({ children }: { children: ComponentChild }): JSX.Element {
  return (
    <div class={styles["table"]} role="region" aria-label={t("markdown.table")} tabIndex={0}>
      <table>{children}</table>
    </div>
  );
}

function inlineOf(tokens: readonly Token[]): ComponentChild {
  const leaf = (token: Token, at: number): ComponentChild => {
    switch (token.type) {
      case "code_inline":
        return <code>{token.content}</code>;
      case "softbreak":
        return "\n";
      case "hardbreak":
        return <br />;
      case "image":
        return <Picture address={attribute(token, "src") ?? ""} words={token.content} />;
      case "text":
        return at === 0 ? withTask(token.content) : token.content;
      default:
        return token.content; // as of raw HTML
    }
  };
  let at = 0;
  return (
    <>
      {tree(
        tokens,
        (token) => leaf(token, at++),
        ({ token, children }) => {
          if (token?.tag === "a") {
            const words = wordsOf(tokens, token);
            return (
              <Link
                address={attribute(token, "href") ?? ""}
                words={words}
                title={attribute(token, "title")}
                children={children}
              />
            );
          }
          if (!INLINES.has(token?.tag ?? "")) return <>{children}</>;
          const Tag = token?.tag as "em";
          return <Tag>{children}</Tag>;
        },
      )}
    </>
  );
}

/** `[ ] to do` and `[x] done` at the beginning, as in lists of tasks. */
function withTask(text: string): ComponentChild {
  const found = /^\[([ xX])\]\s/.exec(text);
  if (found === null) return text;
  const isDone = found[1] !== " ";
  return (
    <>
      <input type="checkbox" disabled checked={isDone} aria-label={t(isDone ? "markdown.done" : "markdown.toDo")} />{" "}
      {text.slice(found[0].length)}
    </>
  );
}

/** All text between a link's opening token and its closing one. */
function wordsOf(tokens: readonly Token[], opening: Token): string {
  const from = tokens.indexOf(opening);
  const to = tokens.findIndex((token, at) => at > from && token.type === "link_close");
  return tokens
    .slice(from, to < 0 ? tokens.length : to)
    .map(({ content }) => content)
    .join("");
}

interface LinkGiven {
  readonly address: string;
  readonly words: string;
  readonly title: string | null;
  readonly children: ComponentChild;
}

function Link({ address, words, title, children }: LinkGiven): JSX.Element {
  const safe = safeAddress(address);
  if (safe === null) return <>{children}</>;
  const hidden = hiddenHost(words, safe);
  return (
    <>
      <a href={safe} target="_blank" rel="noopener noreferrer nofollow" title={withoutTurns(title ?? "") || undefined}>
        <bdi>{withoutTurns(words) === words ? children : withoutTurns(words)}</bdi>
      </a>
      {hidden !== null && <span class={styles["host"]}> ({hidden})</span>}
    </>
  );
}

/** A picture from elsewhere is not fetched: whoever has it would know who reads what, and when. */
function Picture({ address, words }: { address: string; words: string }): JSX.Element {
  const label = t("markdown.image", { name: withoutTurns(words) || address });
  return (
    <Link address={address} words={label} title={null}>
      {label}
    </Link>
  );
}
