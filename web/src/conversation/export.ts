/**
 * A conversation as a file, put together here from its pages: they come through the encrypted connection, and however many
 * there are. Loaded when it is asked for.
 */

import type { Api } from "../gateway/api.ts";
import { GatewayError } from "../gateway/errors.ts";
import type { Message, Session } from "../gateway/shapes.ts";
import { onTheWire } from "../protocol/shape.ts";

export type ExportFormat = "md" | "json";

/** Names of people and things in the file. */
export interface ExportWords {
  readonly you: string;
  readonly untitled: string;
  readonly moment: (seconds: number) => string;
}

const PAGE = 100;

/** The last page is read first; an answer that is too large for the connection is asked for in smaller pages. Rejects with GatewayError. */
export async function allMessages(api: Pick<Api, "sessions">, id: string): Promise<Message[]> {
  const pages: (readonly Message[])[] = [];
  let before: string | undefined;
  let limit = PAGE;
  for (;;) {
    try {
      const page = await api.sessions.messages(id, { limit, ...(before === undefined ? {} : { before }) });
      pages.unshift(page.messages);
      before = page.messages[0]?.id;
      if (!page.hasMore || before === undefined) return pages.flat();
    } catch (error) {
      if (!(error instanceof GatewayError) || error.code !== "too_large" || limit === 1) throw error;
      limit = Math.ceil(limit / 4);
    }
  }
}

export function asMarkdown(session: Session, messages: readonly Message[], words: ExportWords): string {
  const parts = [`# ${session.title === "" ? words.untitled : session.title}\n`];
  for (const { sender, content, timestamp, files } of messages) {
    const who = sender === "user" ? words.you : session.agent;
    const named = files.map(({ name }) => `- ${name}\n`).join("");
    parts.push(`## ${who} · ${words.moment(timestamp)}\n`, `${content}\n`, ...(named === "" ? [] : [named]));
  }
  return parts.join("\n");
}

/** As the gateway writes it. */
export function asJson(session: Session, messages: readonly Message[]): string {
  const told = messages.map((message) => wired(message));
  return `${JSON.stringify({ session: wired(session), messages: told }, null, 2)}\n`;
}

/** What a tool was given has names of its own. */
function wired(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(wired);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).map(([name, one]) => [name, name === "input" ? one : wired(one)] as const);
  return onTheWire(Object.fromEntries(fields));
}

/** Letters, digits and little else, whatever the title is. */
export function fileName(title: string, format: ExportFormat): string {
  const plain = title
    .normalize("NFC")
    .replace(/[^\p{L}\p{N} ._-]+/gu, " ")
    .replace(/\s+/g, " ")
    .slice(0, 80)
    .replace(/^[ .]+|[ .]+$/g, "");
  return `${plain === "" ? "chat" : plain}.${format}`;
}

export function save(text: string, name: string, format: ExportFormat): void {
  const type = format === "md" ? "text/markdown;charset=utf-8" : "application/json";
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it after this
}
