import { describe, expect, it } from "vitest";
import { allMessages, asJson, asMarkdown, fileName } from "../../src/conversation/export.ts";
import type { Api } from "../../src/gateway/api.ts";
import { GatewayError } from "../../src/gateway/errors.ts";
import type { Message, Page, PageWanted, Session } from "../../src/gateway/shapes.ts";

const session: Session = {
  ...{ id: "s", agent: "main", title: "A chat", chatId: 1, channelId: null, createdAt: 1, updatedAt: 2 },
  ...{ archived: false, provider: null, model: null, messageCount: 2 },
};

function message(number: number, fields: Partial<Message> = {}): Message {
  return {
    ...{ id: `m${number}`, turnId: "t", sender: "user", content: `text ${number}`, timestamp: number, files: [] },
    ...{ tools: [], usage: null, status: "done", outline: null, provider: null, model: null, durationMs: null },
    ...{ reason: null, error: null },
    ...fields,
  };
}

/** Pages of a history, as a gateway tells them that takes at most `most` messages in one answer. */
function history(count: number, most: number): { api: Pick<Api, "sessions">; limits: number[] } {
  const all = Array.from({ length: count }, (_, number) => message(number));
  const limits: number[] = [];
  const messages = (_id: string, { limit = 50, before }: PageWanted = {}): Promise<Page> => {
    limits.push(limit);
    if (limit > most) return Promise.reject(new GatewayError("too_large"));
    const end = before === undefined ? all.length : all.findIndex(({ id }) => id === before);
    const begin = Math.max(0, end - limit);
    return Promise.resolve({ messages: all.slice(begin, end), hasMore: begin > 0, total: count, cursor: "" });
  };
  return { api: { sessions: { messages } as unknown as Api["sessions"] }, limits };
}

describe("an export", () => {
  it("has all messages, in their order", async () => {
    const found = await allMessages(history(250, 200).api, "s");
    expect(found.map(({ timestamp }) => timestamp)).toEqual(Array.from({ length: 250 }, (_, number) => number));
  });

  it("asks for less where an answer is too large", async () => {
    const { api, limits } = history(60, 30);
    expect(await allMessages(api, "s")).toHaveLength(60);
    expect(limits.slice(0, 3)).toEqual([100, 25, 25]);
  });

  it("gives up on a single message that is too large", async () => {
    await expect(allMessages(history(2, 0).api, "s")).rejects.toMatchObject({ code: "too_large" });
  });

  it("is Markdown for people", () => {
    const files = [{ path: "/a.png", name: "a.png", isImage: true }];
    const messages = [message(1), message(2, { sender: "agent", content: "**Yes**", files })];
    const words = { you: "You", untitled: "Chat", moment: (at: number) => `at ${at}` };
    expect(asMarkdown(session, messages, words)).toBe(
      "# A chat\n\n## You · at 1\n\ntext 1\n\n## main · at 2\n\n**Yes**\n\n- a.png\n",
    );
  });

  it("is JSON under the gateway's own names, with what tools were given as it was", () => {
    const tool = { name: "Bash", toolId: "x", input: { someName: 1 }, output: null, isError: false, durationMs: 5 };
    const told = JSON.parse(asJson(session, [message(1, { tools: [tool] })])) as Record<string, unknown>;
    expect(told["session"]).toMatchObject({ chat_id: 1, message_count: 2 });
    expect(told["messages"]).toMatchObject([
      { turn_id: "t", tools: [{ tool_id: "x", input: { someName: 1 }, is_error: false, duration_ms: 5 }] },
    ]);
  });

  it("has a name that every system takes", () => {
    expect(fileName("What: a/b\\c? <x>", "md")).toBe("What a b c x.md");
    expect(fileName("../..", "json")).toBe("chat.json");
    expect(fileName("Grüße 你好", "md")).toBe("Grüße 你好.md");
  });
});
