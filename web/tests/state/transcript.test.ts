import { effect } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Gateway } from "../../src/gateway/gateway.ts";
import { KeptMessages } from "../../src/gateway/kept-messages.ts";
import { Listeners } from "../../src/gateway/listeners.ts";
import { Transcript } from "../../src/state/transcript.ts";
import { textOf } from "../../src/state/turns.ts";
import { LINK, ScriptedServer } from "../gateway/scripted-server.ts";

let server: ScriptedServer;
let gateway: Gateway;
let transcript: Transcript;
let frames: (() => void)[];

const HISTORY = /messages/;
const message = (id: string, sender: "user" | "agent", turn: string, status = "done"): object => ({
  ...{
    id,
    turn_id: turn,
    sender,
    content: `${sender} ${turn}`,
    timestamp: 1,
    files: [],
    tools: [],
    usage: null,
    status,
  },
});
const both = (turn: string): object[] => [message(`${turn}u`, "user", turn), message(`${turn}a`, "agent", turn)];
const page = (messages: object[], cursor = "e:0", more = false): object => ({
  ...{ messages, has_more: more, total: messages.length, cursor },
});
const delta = (turn: string, data: string, seq: number): object => ({
  ...{ type: "text_delta", data, turn_id: turn, cursor: `e:${seq}` },
});
const draw = (): void => frames.splice(0).forEach((show) => show());
const shown = (): string[] => transcript.rows.value.map(({ id, turn }) => `${id}: ${textOf(turn.value)}`);

beforeEach(async () => {
  vi.useFakeTimers();
  server = new ScriptedServer();
  frames = [];
  const departures = new Listeners<[]>();
  const open = (): Promise<ReadonlySet<string>> => Promise.resolve(new Set<string>());
  const silent = { sayGone: () => undefined, sayForgotten: () => undefined, close: () => undefined };
  const tabs = { name: "me", departures, forgettings: new Listeners<[]>(), open, ...silent };
  const { surroundings } = server;
  gateway = new Gateway({ link: LINK, kept: new KeptMessages(null), tabs, surroundings });
  transcript = new Transcript(gateway.home, (show) => frames.push(show));
  gateway.open();
  await vi.advanceTimersByTimeAsync(0);
});
afterEach(() => {
  transcript.close();
  gateway.close();
  vi.useRealTimers();
});

async function begin(messages: object[], more = false): Promise<void> {
  server.newest.answer(HISTORY, page(messages, "e:0", more));
  await vi.advanceTimersByTimeAsync(0);
}

describe("a transcript", () => {
  it("shows a thousand deltas in one frame, and draws their row alone", async () => {
    await begin([...both("1"), message("2u", "user", "2"), message("2a", "agent", "2", "running")]);
    let drawn = 0;
    let listDrawn = 0;
    const ends = [
      effect(() => {
        if (transcript.rows.value[0]?.turn.value !== undefined) drawn++;
      }),
      effect(() => {
        if (transcript.rows.value.length > 0) listDrawn++;
      }),
    ];
    for (let at = 1; at <= 1000; at++) server.newest.tell(delta("2", "x", at));
    expect(frames).toHaveLength(1);
    expect(shown()[1]).toBe("2: agent 2");
    draw();
    expect(shown()[1]).toBe(`2: agent 2${"x".repeat(1000)}`);
    expect([drawn, listDrawn]).toEqual([1, 1]);
    ends.forEach((end) => end());
  });

  it("keeps its rows over a new page", async () => {
    await begin([...both("1"), ...both("2")]);
    const [, second] = transcript.rows.value;
    server.onConnection = (side) => side.welcome({ resume: "gap" });
    server.newest.close(1006);
    await vi.advanceTimersByTimeAsync(1_000);
    await begin([...both("2"), ...both("3")]);
    expect(shown()).toEqual(["2: agent 2", "3: agent 3"]);
    expect(transcript.rows.value[0]).toBe(second);
  });

  it("joins a turn whose question is on the page before", async () => {
    await begin([message("2a", "agent", "2"), ...both("3")], true);
    expect(transcript.rows.value[0]?.turn.value.user).toBeNull();
    const loading = transcript.loadOlder();
    void transcript.loadOlder(); // once is enough
    expect(transcript.isLoadingOlder.value).toBe(true);
    server.newest.answer(/before=2a/, page([...both("1"), message("2u", "user", "2")]));
    await loading;
    draw();
    expect(shown()).toEqual(["1: agent 1", "2: agent 2", "3: agent 3"]);
    expect(transcript.rows.value[1]?.turn.value.user?.text).toBe("user 2");
    expect([transcript.isLoadingOlder.value, transcript.hasMore.value]).toEqual([false, false]);
    expect(server.newest.asked).toEqual([]);
  });

  it("shows a message as a turn in the moment in which it is no longer on its way, and once", async () => {
    await begin([]);
    await gateway.home.send("hi");
    expect(transcript.outgoing.value).toMatchObject([{ text: "hi", state: "sending" }]);
    const [sent] = server.newest.of("message");
    server.newest.tell({ type: "accepted", id: sent?.["id"], turn_id: "1", position: 0 });
    expect(transcript.outgoing.value).toEqual([]);
    expect(transcript.rows.value.map(({ turn }) => [turn.value.user?.text, turn.value.status])).toEqual([
      ["hi", "running"],
    ]);
    const said = { type: "user_message", id: sent?.["id"], text: "hi", created_at: 1, turn_id: "1", cursor: "e:1" };
    server.newest.tell(said, { type: "result", text: "ho", stream_fallback: true, turn_id: "1", cursor: "e:2" });
    server.newest.tell({ type: "result", text: "again", stream_fallback: true, turn_id: "1" });
    draw();
    expect(shown()).toEqual(["1: ho"]);
  });

  it("keeps a message that was taken while its page was read", async () => {
    await gateway.home.send("hi");
    const [sent] = server.newest.of("message");
    server.newest.tell({ type: "accepted", id: sent?.["id"], turn_id: "2", position: 1 });
    await begin([...both("1")]);
    expect(shown()).toEqual(["1: agent 1", "2: "]);
  });

  it("lets the next turn run when one is over", async () => {
    await begin([]);
    const asked = (turn: string, seq: number): object => ({
      ...{ type: "user_message", text: turn, created_at: 1, turn_id: turn, cursor: `e:${seq}` },
    });
    server.newest.tell(asked("1", 1), asked("2", 2));
    draw();
    const statuses = (): string[] => transcript.rows.value.map(({ turn }) => turn.value.status);
    expect(statuses()).toEqual(["running", "queued"]);
    server.newest.tell({ type: "error", code: "internal_error", message: "", turn_id: "1", cursor: "e:3" });
    draw();
    expect(statuses()).toEqual(["failed", "running"]);
  });
});
