/**
 * What an agent says, as elements. Markdown becomes tokens, and tokens become elements one by one: there is no HTML in between, so that
 * nothing but the elements below can ever come out.
 */

import type { Token } from "markdown-it";
import { Component, type ComponentChild, type JSX } from "preact";
import { useRef } from "preact/hooks";
import { t } from "../i18n/language.ts";
import { CodeBlock } from "./code-block.tsx";
import { GrowingMarkdown, type Block } from "./growing.ts";
import { hiddenHost, safeAddress, withoutTurns } from "./links.ts";
import styles from "./markdown.module.css";
import { paged, pagesOf, type Page, type Run } from "./pages.ts";

interface MarkdownGiven {
  readonly text: string;
  /** More of it is to come. */
  readonly isStreaming?: boolean;
}

export function Elements({ text, isStreaming = false }: MarkdownGiven): JSX.Element {
  const growing = useRef<GrowingMarkdown | null>(null);
  growing.current ??= new GrowingMarkdown();
  return <Drawn blocks={growing.current.read(text, isStreaming)} />;
}

export function Drawn({ blocks }: { blocks: readonly Block[] }): JSX.Element {
  return (
    <div class={styles["markdown"]}>
      {pagesOf(blocks).map((page) => (
        <OnePage key={page.key} page={page} />
      ))}
    </div>
  );
}

const isSame = <T,>(some: readonly T[], others: readonly T[]): boolean =>
  some.length === others.length && some.every((one, at) => one === others[at]);

interface PageGiven {
  readonly page: Page;
}

/** What was drawn once is laid out again only where it is in sight: by then the browser knows how high it is. */
class OnePage extends Component<PageGiven, { readonly wasDrawn: boolean }> {
  override state = { wasDrawn: false };
  #frame = 0;

  override componentDidMount(): void {
    const next = (then: () => void): void => void (this.#frame = requestAnimationFrame(then));
    next(() => next(() => this.setState({ wasDrawn: true })));
  }

  override componentWillUnmount(): void {
    cancelAnimationFrame(this.#frame);
  }

  override shouldComponentUpdate({ page: { runs } }: PageGiven, { wasDrawn }: { readonly wasDrawn: boolean }): boolean {
    const before = this.props.page.runs;
    return (
      wasDrawn !== this.state.wasDrawn ||
      runs.length !== before.length ||
      !runs.every(({ key, blocks }, at) => key === before[at]?.key && isSame(blocks, before[at].blocks))
    );
  }

  override render(): ComponentChild {
    return (
      <div class={styles["page"]} data-drawn={this.state.wasDrawn || undefined}>
        {this.props.page.runs.map((run) => (
          <OneRun key={run.key} run={run} />
        ))}
      </div>
    );
  }
}

/** A list or a table, or blocks that are by themselves. */
function OneRun({ run: { container, blocks } }: { run: Run }): JSX.Element {
  const pages = paged(blocks).map((page) => <Blocks key={page[0]?.key} blocks={page} />);
  if (container === null) return <>{pages}</>;
  switch (container.kind) {
    case "bullets":
      return <ul dir="auto">{pages}</ul>;
    case "numbers":
      return (
        <ol dir="auto" start={container.first === 1 ? undefined : container.first}>
          {pages}
        </ol>
      );
    case "table":
      return (
        <Table>
          {headOf(blocks[0])}
          <tbody>{pages}</tbody>
        </Table>
      );
  }
}

class Blocks extends Component<{ readonly blocks: readonly Block[] }> {
  override shouldComponentUpdate({ blocks }: { readonly blocks: readonly Block[] }): boolean {
    return !isSame(blocks, this.props.blocks);
  }

  override render(): ComponentChild {
    return this.props.blocks.map((block) => <OneBlock key={block.key} block={block} />);
  }
}

class OneBlock extends Component<{ readonly block: Block }> {
  override shouldComponentUpdate({ block }: { readonly block: Block }): boolean {
    return block !== this.props.block;
  }

  override render(): ComponentChild {
    const { tokens, source, code, container, isApart, isOpen } = this.props.block;
    if (code !== null) return <CodeBlock text={code.text} info={code.info} isGrowing={isOpen} />;
    if (tokens === null) return <div class={styles["written"]}>{source}</div>;
    if (container === null) return <>{blocksOf(tokens, isOpen)}</>;
    if (container.kind === "table") return <>{blocksOf(between(tokens, "tbody"), isOpen)}</>;
    return (
      <li dir="auto" class={isApart ? styles["apart"] : undefined}>
        {blocksOf(tokens.slice(2, -2), isOpen, true)}
      </li>
    );
  }
}

function headOf(block: Block | undefined): ComponentChild {
  return <thead>{blocksOf(between(block?.tokens ?? [], "thead"), false)}</thead>;
}

/** The tokens inside of the element `name`. */
function between(tokens: readonly Token[], name: string): readonly Token[] {
  const from = tokens.findIndex(({ type }) => type === `${name}_open`);
  return from < 0
    ? []
    : tokens.slice(
        from + 1,
        tokens.findIndex(({ type }) => type === `${name}_close`),
      );
}

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
  leaf: (token: Token, at: number) => ComponentChild,
  close: (open: Open) => ComponentChild,
): ComponentChild[] {
  const root: Open = { token: null, children: [] };
  const stack = [root];
  for (const [at, token] of tokens.entries()) {
    const top = stack.at(-1) ?? root;
    if (token.nesting === 1) stack.push({ token, children: [] });
    else if (token.nesting === 0) top.children.push(leaf(token, at));
    else if (stack.length > 1) {
      stack.pop();
      (stack.at(-1) ?? root).children.push(close(top));
    }
  }
  return root.children;
}

/** `isItem`: they are what is in an item of a list. */
function blocksOf(tokens: readonly Token[], isOpen: boolean, isItem = false): ComponentChild[] {
  const leaf = (token: Token, at: number): ComponentChild => {
    switch (token.type) {
      case "inline":
        return inlineOf(token.children ?? [], at === 1 ? isItem : tokens[at - 2]?.type === "list_item_open");
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

function inlineOf(tokens: readonly Token[], isItem: boolean): ComponentChild {
  const inLinks = tokensInLinks(tokens);
  const leaf = (token: Token, at: number): ComponentChild => {
    const isInLink = inLinks.has(token);
    const content = isInLink ? withoutTurns(token.content) : token.content;
    switch (token.type) {
      case "code_inline":
        return <code>{content}</code>;
      case "softbreak":
        return "\n";
      case "hardbreak":
        return <br />;
      case "image":
        return <Picture address={attribute(token, "src") ?? ""} words={token.content} isInLink={isInLink} />;
      case "text":
        return at === 0 && isItem ? withTask(content) : content;
      default:
        return content; // as of raw HTML
    }
  };
  const close = ({ token, children }: Open): ComponentChild => {
    if (token?.tag === "a") {
      const words = wordsOf(tokens, token);
      const [address, title] = [attribute(token, "href") ?? "", attribute(token, "title")];
      return <Link address={address} words={words} title={title} children={children} />;
    }
    if (!INLINES.has(token?.tag ?? "")) return <>{children}</>;
    const Tag = token?.tag as "em";
    return <Tag>{children}</Tag>;
  };
  return <>{tree(tokens, leaf, close)}</>;
}

function tokensInLinks(tokens: readonly Token[]): ReadonlySet<Token> {
  const inLinks = new Set<Token>();
  let depth = 0;
  for (const token of tokens) {
    if (token.tag === "a") depth += token.nesting;
    else if (depth > 0) inLinks.add(token);
  }
  return inLinks;
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
  const shown = safe === null ? (address === words ? null : shortened(address)) : hiddenHost(words, safe);
  const note = shown !== null && shown !== "" && <span class={styles["host"]}> ({withoutTurns(shown)})</span>;
  if (safe === null) {
    return (
      <>
        <bdi>{children}</bdi>
        {note}
      </>
    );
  }
  return (
    <>
      <a href={safe} target="_blank" rel="noopener noreferrer nofollow" title={withoutTurns(title ?? "") || undefined}>
        <bdi>{children}</bdi>
      </a>
      {note}
    </>
  );
}

const shortened = (address: string): string => (address.length > 200 ? `${address.slice(0, 200)}…` : address);

/** A picture from elsewhere is not fetched: whoever has it would know who reads what, and when. */
function Picture({ address, words, isInLink }: { address: string; words: string; isInLink: boolean }): JSX.Element {
  const label = t("markdown.image", { name: withoutTurns(words) || address });
  if (isInLink) return <>{label}</>;
  return (
    <Link address={address} words={label} title={null}>
      {label}
    </Link>
  );
}
