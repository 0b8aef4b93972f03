import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Gateway } from "../../src/gateway/gateway.ts";
import { KeptMessages } from "../../src/gateway/kept-messages.ts";
import { Listeners } from "../../src/gateway/listeners.ts";
import type { SessionNews } from "../../src/gateway/session.ts";
import type { Tabs } from "../../src/gateway/tabs.ts";
import { LINK, ScriptedServer } from "./scripted-server.ts";

const alone: Tabs = {
  ...{ name: "me", departures: new Listeners<[]>(), open: () => Promise.resolve(new Set(["me"])) },
  ...{
    forgettings: new Listeners<[]>(),
    sayGone: () => undefined,
    sayForgotten: () => undefined,
    close: () => undefined,
  },
};

let server: ScriptedServer;
let gateway: Gateway;
let news: SessionNews[];

const later = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const HISTORY = /messages/;
const emptyPage = (cursor: string): object => ({ messages: [], has_more: false, total: 0, cursor });
const delta = (data: string, seq: number, epoch = "e"): object => ({
  ...{ type: "text_delta", data, turn_id: "t", cursor: `${epoch}:${seq}` },
});

function told(): unknown[] {
  return news.map((one) => {
    if (one.kind === "page") return `page ${one.page.cursor}`;
    return one.kind === "event" && "data" in one.event ? one.event.data : one.kind;
  });
}

beforeEach(async () => {
  vi.useFakeTimers();
  server = new ScriptedServer();
  news = [];
  const { surroundings } = server;
  gateway = new Gateway({ link: LINK, kept: new KeptMessages(null), tabs: alone, surroundings });
  gateway.home.feed.news.add((one) => news.push(one));
  gateway.open();
  await later();
});
afterEach(() => {
  gateway.close();
  vi.useRealTimers();
});

describe("a session", () => {
  it("is told from its page on: what is in there already is dropped, to the character", async () => {
    server.newest.tell(delta("ab", 2), delta("c\u{1f680}de", 6), delta("f", 7));
    server.newest.answer(HISTORY, emptyPage("e:4"));
    await later();
    server.newest.tell(delta("f", 7), delta("gh", 9));
    expect(told()).toEqual(["page e:4", "de", "f", "gh"]);
    expect(gateway.home.feed.cursor).toBe("e:9");
  });

  it("goes on from its cursor after a lost connection", async () => {
    server.newest.answer(HISTORY, emptyPage("e:0"));
    await later();
    server.newest.tell(delta("abc", 3));
    server.newest.close(1006);
    await later(1_000);
    expect(server.newest.auth["cursor"]).toBe("e:3");
    server.newest.tell(delta("bcd", 4), delta("e", 5));
    expect(told()).toEqual(["page e:0", "abc", "d", "e"]);
    expect(server.newest.of("request")).toEqual([]);
  });

  it("is read anew where the gateway cannot tell what was missed", async () => {
    server.newest.answer(HISTORY, emptyPage("e:5"));
    await later();
    server.onConnection = (side) => {
      side.welcome({ resume: "gap", cursor: "f:2" });
      side.tell(delta("x", 3, "f"));
    };
    server.newest.close(1012);
    await later(1_000);
    server.newest.answer(HISTORY, emptyPage("f:2"));
    await later();
    expect(told()).toEqual(["page e:5", "page f:2", "x"]);
  });

  it("is read again where the history cannot be read, and not in a loop", async () => {
    server.newest.answer(HISTORY, { error: "no", code: "unavailable" }, 503);
    await later(900);
    expect(news).toMatchObject([{ kind: "trouble", code: "unavailable" }]);
    expect(server.newest.of("request")).toEqual([]);
    await later(200);
    server.newest.answer(HISTORY, { messages: "none" });
    await later(1_500);
    expect(news.at(-1)).toMatchObject({ kind: "trouble", code: "invalid_answer" });
    server.newest.answer(HISTORY, emptyPage("e:0"));
    await later();
    expect(told().at(-1)).toBe("page e:0");
  });

  it("that was lost while its page was read is read on the next connection, once", async () => {
    server.newest.close(1006);
    await later(1_000);
    const requests = server.newest.of("request");
    for (const request of requests) {
      server.newest.tell({ type: "response", id: request["id"], status: 200, body: emptyPage("e:1") });
    }
    await later();
    expect(told()).toEqual(["page e:1"]);
  });

  it("that is another one under the same numbers begins anew", async () => {
    server.newest.answer(HISTORY, emptyPage("e:5"));
    await later();
    server.onConnection = (side) => side.welcome({ session_id: "other", resume: "gap", cursor: "g:0" });
    server.newest.tell({ type: "session_deleted" });
    server.newest.close(1000);
    await later(1_000);
    server.newest.answer(/sessions\/other\/messages/, emptyPage("g:0"));
    await later();
    expect(told()).toEqual(["page e:5", "deleted", "page g:0"]);
  });
});

describe("the outbox", () => {
  const sent = (): unknown[] => server.newest.of("message").map(({ text }) => text);
  const refuse = (code: string): void => {
    const last = server.newest.of("message").at(-1);
    server.newest.tell({ type: "error", code, message: "", id: last?.["id"] });
  };
  const accept = (turn: string): void => {
    const last = server.newest.of("message").at(-1);
    server.newest.tell({ type: "accepted", id: last?.["id"], turn_id: turn, position: 0 });
  };

  it("sends one at a time, in their order", async () => {
    await gateway.home.send("one");
    await gateway.home.send("two");
    expect(sent()).toEqual(["one"]);
    accept("1");
    expect(sent()).toEqual(["one", "two"]);
    accept("2");
    expect(gateway.home.outbox.messages).toEqual([]);
  });

  it("waits with the others while the gateway is busy", async () => {
    await gateway.home.send("one");
    await gateway.home.send("two");
    refuse("busy");
    await later(900);
    expect(sent()).toEqual(["one"]);
    expect(gateway.home.outbox.messages).toMatchObject([{ state: "waiting", error: "busy" }, { state: "waiting" }]);
    await later(200);
    expect(sent()).toEqual(["one", "one"]);
  });

  it("lays aside what the gateway will not take, until somebody wants it sent all the same", async () => {
    await gateway.home.send("one");
    await gateway.home.send("two");
    refuse("conflict");
    expect(sent()).toEqual(["one", "two"]);
    accept("2");
    const [failed] = gateway.home.outbox.messages;
    expect(failed).toMatchObject({ text: "one", state: "failed", error: "conflict" });
    gateway.home.outbox.retry(failed?.id ?? "");
    expect(sent()).toEqual(["one", "two", "one"]);
  });

  it("sends what can be sent of what was typed", async () => {
    await gateway.home.send("half a rocket: \ud83d");
    expect(sent()).toEqual(["half a rocket: \ufffd"]);
  });
});

describe("requests", () => {
  const running = (): number => server.newest.of("request").length;

  beforeEach(async () => {
    server.newest.answer(HISTORY, emptyPage("e:0"));
    await later();
  });

  it("are eight at once at most, and one that nobody waits for any more still counts", async () => {
    const asked = Array.from({ length: 12 }, () => gateway.api.agents().catch((error: unknown) => error));
    expect(running()).toBe(8);
    await later(31_000);
    expect(await Promise.all(asked)).toMatchObject(Array.from({ length: 12 }, () => ({ code: "timed_out" })));
    const next = gateway.api.agents();
    expect(running()).toBe(8);
    server.newest.answer(/agents/, []);
    expect(running()).toBe(8);
    for (let at = 0; at < 8; at++) server.newest.answer(/agents/, []);
    expect(await next).toEqual([]);
  });

  it("that come while the gateway still counts others are asked again", async () => {
    const asked = gateway.api.agents();
    const [request] = server.newest.asked.splice(0);
    server.newest.tell({ type: "error", code: "rate_limited", message: "", id: request?.["id"] });
    await later(100);
    server.newest.answer(/agents/, []);
    expect(await asked).toEqual([]);
  });
});

describe("another chat", () => {
  it("has its own connection, as long as somebody holds it or it has something to send", async () => {
    const chat = gateway.hold({ chatId: 1, channelId: 7 });
    expect(gateway.hold({ chatId: 1, channelId: 7 })).toBe(chat);
    await later();
    expect(server.newest.auth).toMatchObject({ chat_id: 1, channel_id: 7 });
    expect(server.newest.auth).not.toHaveProperty("approvals");
    gateway.release(chat);
    await chat.send("one");
    gateway.release(chat);
    expect(server.newest.isClosed).toBe(false);
    const [message] = server.newest.of("message");
    server.newest.tell({ type: "accepted", id: message?.["id"], turn_id: "t", position: 0 });
    expect(server.newest.isClosed).toBe(true);
  });

  it("that is the default one is no other", () => {
    expect(gateway.hold({ chatId: 1, channelId: null })).toBe(gateway.home);
    gateway.release(gateway.home);
    expect(server.connections).toHaveLength(1);
    expect(server.newest.auth).toMatchObject({ approvals: true });
  });
});
