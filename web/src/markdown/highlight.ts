/** Colours for code by highlight.js, as elements: what it says in HTML is read by a reader that knows nothing but its spans. */

import hljs from "highlight.js/lib/core";
import type { LanguageFn } from "highlight.js";
import { h, type ComponentChild } from "preact";

type Loader = () => Promise<{ default: LanguageFn }>;

const LOADERS: Readonly<Record<string, Loader>> = {
  bash: () => import("highlight.js/lib/languages/bash"),
  c: () => import("highlight.js/lib/languages/c"),
  cpp: () => import("highlight.js/lib/languages/cpp"),
  csharp: () => import("highlight.js/lib/languages/csharp"),
  css: () => import("highlight.js/lib/languages/css"),
  diff: () => import("highlight.js/lib/languages/diff"),
  dockerfile: () => import("highlight.js/lib/languages/dockerfile"),
  go: () => import("highlight.js/lib/languages/go"),
  ini: () => import("highlight.js/lib/languages/ini"),
  java: () => import("highlight.js/lib/languages/java"),
  javascript: () => import("highlight.js/lib/languages/javascript"),
  json: () => import("highlight.js/lib/languages/json"),
  kotlin: () => import("highlight.js/lib/languages/kotlin"),
  lua: () => import("highlight.js/lib/languages/lua"),
  makefile: () => import("highlight.js/lib/languages/makefile"),
  markdown: () => import("highlight.js/lib/languages/markdown"),
  nginx: () => import("highlight.js/lib/languages/nginx"),
  php: () => import("highlight.js/lib/languages/php"),
  python: () => import("highlight.js/lib/languages/python"),
  ruby: () => import("highlight.js/lib/languages/ruby"),
  rust: () => import("highlight.js/lib/languages/rust"),
  sql: () => import("highlight.js/lib/languages/sql"),
  swift: () => import("highlight.js/lib/languages/swift"),
  typescript: () => import("highlight.js/lib/languages/typescript"),
  xml: () => import("highlight.js/lib/languages/xml"),
  yaml: () => import("highlight.js/lib/languages/yaml"),
};

const ALIASES: Readonly<Record<string, string>> = {
  ...{ sh: "bash", shell: "bash", zsh: "bash", console: "bash", "c++": "cpp", "c#": "csharp", cs: "csharp" },
  ...{
    patch: "diff",
    docker: "dockerfile",
    golang: "go",
    toml: "ini",
    conf: "ini",
    js: "javascript",
    jsx: "javascript",
  },
  ...{ mjs: "javascript", jsonc: "json", kt: "kotlin", make: "makefile", md: "markdown", py: "python", rb: "ruby" },
  ...{ rs: "rust", ts: "typescript", tsx: "typescript", html: "xml", svg: "xml", vue: "xml", yml: "yaml" },
};

export interface Highlighted {
  readonly parts: readonly ComponentChild[];
  /** Milliseconds. */
  readonly took: number;
}

/** Null for a language that is not known, and where it cannot be coloured. */
export async function highlight(code: string, named: string): Promise<Highlighted | null> {
  const lower = named.toLowerCase();
  const language = ALIASES[lower] ?? lower;
  const load = Object.hasOwn(LOADERS, language) ? LOADERS[language] : undefined;
  if (load === undefined) return null;
  try {
    if (hljs.getLanguage(language) === undefined) hljs.registerLanguage(language, (await load()).default);
  } catch {
    return null; // its chunk cannot be loaded now
  }
  const began = performance.now();
  const parts = spansOf(hljs.highlight(code, { language, ignoreIllegals: true }).value, code);
  return parts === null ? null : { parts, took: performance.now() - began };
}

const PIECES = /<span class="([\w -]*)">|(<\/span>)|&(amp|lt|gt|quot|#x27);|([^<&]+)/gy;
const SIGNS: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" };

/** Null if it is anything but spans around the very code. */
export function spansOf(html: string, code: string): readonly ComponentChild[] | null {
  const stack: { readonly name: string; readonly children: ComponentChild[] }[] = [{ name: "", children: [] }];
  let text = "";
  let end = 0;
  for (const piece of html.matchAll(PIECES)) {
    const [whole, name, close, sign, plain] = piece;
    end = piece.index + whole.length;
    const top = stack.at(-1);
    if (top === undefined) return null;
    if (name !== undefined) stack.push({ name, children: [] });
    else if (close !== undefined) {
      stack.pop();
      stack.at(-1)?.children.push(h("span", { class: top.name }, top.children));
    } else {
      const said = sign === undefined ? (plain ?? "") : (SIGNS[sign] ?? "");
      text += said;
      top.children.push(said);
    }
  }
  return end === html.length && text === code && stack.length === 1 ? (stack[0]?.children ?? null) : null;
}
