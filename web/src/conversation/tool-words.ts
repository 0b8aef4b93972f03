/** What a tool does, in a few words, pure: from its name and its input, which each provider shapes in its own way. */

import { isFields } from "../protocol/json.ts";

export type ToolKind = "command" | "read" | "edit" | "write" | "search" | "web" | "think" | "agent" | "plan" | "other";

/** By the names of the common agents; what is not among them is `other`. */
const KINDS: ReadonlyMap<string, ToolKind> = new Map<string, ToolKind>([
  ...named("command", "bash", "bashoutput", "killshell", "shell", "execute", "exec", "terminal", "run_shell_command"),
  ...named("read", "read", "view", "readfile", "read_file", "notebookread", "ls", "list_directory"),
  ...named("edit", "edit", "multiedit", "notebookedit", "replace", "apply_patch", "move", "delete"),
  ...named("write", "write", "writefile", "write_file", "create"),
  ...named("search", "grep", "glob", "search", "toolsearch", "find", "search_file_content"),
  ...named("web", "webfetch", "websearch", "fetch", "web_fetch", "google_web_search"),
  ...named("think", "think"),
  ...named("agent", "task", "agent", "skill"),
  ...named("plan", "todowrite", "todoread", "exitplanmode", "switchmode", "update_plan"),
]);

export const kindOf = (name: string): ToolKind => KINDS.get(name.toLowerCase()) ?? "other";

/** The fields that say most, the best first. */
const COMMAND = ["command", "cmd", "script"];
const PATH = ["file_path", "path", "notebook_path", "filename", "file", "absolute_path", "directory"];
const SEARCH = ["pattern", "query", "regex", "glob"];
const WEB = ["url", "query"];
const WORDS = ["description", "title", "prompt", "name", "skill", "question", "message", "text"];
const TELLING: Readonly<Record<ToolKind, readonly string[]>> = {
  command: COMMAND,
  read: PATH,
  edit: PATH,
  write: PATH,
  search: SEARCH,
  web: WEB,
  think: ["thought", ...WORDS],
  agent: WORDS,
  plan: WORDS,
  other: [],
};
const ANYTHING = [...COMMAND, ...PATH, "url", ...SEARCH, ...WORDS];
const MOST = 160;

/** One line; empty if nothing can be said. */
export function summaryOf(name: string, input: unknown): string {
  if (typeof input === "string") return oneLine(input);
  if (!isFields(input)) return "";
  const kind = kindOf(name);
  const said = [...TELLING[kind], ...ANYTHING].map((field) => textIn(input[field])).find((text) => text !== "");
  const changes = pathsIn(input["changes"]);
  const first = said ?? (changes.length > 0 ? changes.join(", ") : "");
  if (kind === "search") {
    const place = PATH.map((field) => textIn(input[field])).find((text) => text !== "");
    if (place !== undefined && place !== first) return oneLine(`${first} · ${place}`);
  }
  if (first !== "" || kind !== "other") return oneLine(first);
  return oneLine(Object.values(input).find((value) => typeof value === "string" && value !== "") ?? "");
}

/** What went in, as it is shown: a command as it was typed, anything else as JSON. */
export function inputOf(name: string, input: unknown): { readonly text: string; readonly isCommand: boolean } {
  if (typeof input === "string") return { text: input, isCommand: kindOf(name) === "command" };
  if (isFields(input) && kindOf(name) === "command") {
    const field = COMMAND.find((one) => textIn(input[one]) !== "");
    const others = Object.keys(input).filter((one) => one !== field && !WORDS.includes(one));
    if (field !== undefined && others.length === 0) return { text: textIn(input[field]), isCommand: true };
  }
  return { text: input == null ? "" : JSON.stringify(input, null, 2), isCommand: false };
}

/** A name as people read it: `server/tool` and `mcp__server__tool` lose what is in front. */
export function shortName(name: string): string {
  const mcp = /^mcp__.+?__(.+)$/.exec(name);
  return mcp?.[1] ?? name;
}

function textIn(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value.join(" ");
  return "";
}

/** Of a patch of several files. */
function pathsIn(changes: unknown): string[] {
  if (!Array.isArray(changes)) return [];
  return changes.flatMap((change: unknown) => (isFields(change) ? [textIn(change["path"])] : [])).filter(Boolean);
}

function oneLine(text: unknown): string {
  if (typeof text !== "string") return "";
  const line = text
    .slice(0, 4 * MOST)
    .replace(/\s+/g, " ")
    .trim();
  return line.length > MOST ? `${line.slice(0, MOST - 1).trimEnd()}…` : line;
}

function named(kind: ToolKind, ...names: string[]): [string, ToolKind][] {
  return names.map((name) => [name, kind]);
}
