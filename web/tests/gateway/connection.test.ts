import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Connection, type ConnectionState } from "../../src/gateway/connection.ts";
import type { ServerEvent } from "../../src/protocol/messages.ts";
import { LINK, ScriptedServer } from "./scripted-server.ts";

let server: ScriptedServer;
let connection: Connection;
let states: ConnectionState[];
let events: ServerEvent[];

const later = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const reasons = (): unknown[] => states.map((state) => ("reason" in state ? state.reason : state.phase));

beforeEach(() => {
  vi.useFakeTimers();
  server = new ScriptedServer();
  states = [];
  events = [];
  const { surroundings } = server;
  const wishes = (): object => ({});
  connection = new Connection({ url: "ws://x/ws", credentials: LINK, wishes, whenDeleted: "end", surroundings });
  connection.states.add((state) => states.push(state));
  connection.events.add((event) => events.push(event));
});
afterEach(() => {
  connection.close();
  vi.useRealTimers();
});

async function online(): Promise<void> {
  connection.open();
  await later(0);
  expect(connection.state.phase).toBe("online");
}

describe("a connection", () => {
  it("that hears nothing asks, and is given up if there is no answer", async () => {
    await online();
    await later(24_000);
    expect(server.newest.of("ping")).toHaveLength(0);
    await later(2_000);
    expect(server.newest.of("ping")).toHaveLength(1);
    server.newest.tell({ type: "pong" });
    await later(10_000);
    expect(connection.state.phase).toBe("online");
    await later(25_000);
    expect(server.newest.of("ping")).toHaveLength(2);
    server.isThere = false;
    await later(10_000);
    expect(reasons()).toContain("line_lost");
    expect(server.connections[0]?.isClosed).toBe(true);
  });

  it("that is woken asks at once, and is soon replaced if it is dead", async () => {
    await online();
    server.wake();
    expect(server.newest.of("ping")).toHaveLength(1);
    await later(6_000);
    expect(server.connections).toHaveLength(2);
    expect(connection.state.phase).toBe("online");
  });

  it("that nobody answers on is given up", async () => {
    server.onConnection = () => undefined;
    connection.open();
    await later(13_000);
    expect(reasons()).toContain("no_answer");
  });

  it("tells why it is not there", async () => {
    await online();
    for (const code of [1012, 1001, 1013, 1011, 1006]) {
      server.newest.close(code);
      await later(20_000);
    }
    expect(reasons().filter((reason) => !["online", "connecting"].includes(String(reason)))).toEqual([
      ...["gateway_restarting", "gateway_restarting", "gateway_busy", "gateway_failed", "line_lost"],
    ]);
  });

  it("to where nobody listens is tried with growing pauses, and says that there is no network if that is so", async () => {
    server.isThere = false;
    connection.open();
    await later(60_000);
    const attempts = server.connections.length;
    expect(attempts).toBeGreaterThan(6);
    expect(attempts).toBeLessThan(20);
    expect(connection.state).toMatchObject({ phase: "offline", reason: "unreachable" });
    server.hasNetwork = false;
    await later(15_000);
    expect(connection.state).toMatchObject({ reason: "no_network" });
    server.isThere = true;
    server.wake();
    await later(1_000);
    expect(connection.state.phase).toBe("online");
  });

  it("that began before the network came back is begun anew", async () => {
    server.onConnection = () => undefined;
    connection.open();
    await later(1_000);
    server.wake();
    expect(server.connections).toHaveLength(1);
    await later(3_000);
    server.onConnection = (side) => side.welcome();
    server.wake();
    await later(0);
    expect(server.connections.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    expect(connection.state.phase).toBe("online");
  });

  it("that is woken during an attempt in vain tries again at once", async () => {
    server.isThere = false;
    connection.open();
    await later(60_000); // the pauses are long by now
    server.isThere = true;
    const before = server.connections.length;
    server.onConnection = () => undefined;
    while (server.connections.length === before) await later(100);
    server.wake();
    server.newest.close(1006);
    server.onConnection = (side) => side.welcome();
    await later(1_000);
    expect(connection.state.phase).toBe("online");
  });

  it("is not opened faster by being woken over and over", async () => {
    server.isThere = false;
    connection.open();
    await later(30_000);
    const before = server.connections.length;
    for (let times = 0; times < 100; times++) {
      server.wake();
      await later(10);
    }
    expect(server.connections.length - before).toBeLessThan(4);
  });
});

describe("somebody in between", () => {
  it("who cannot prove to be the gateway is left for good", async () => {
    server.onConnection = (side) => side.welcome({ proof: "AAAA" });
    connection.open();
    await later(3_600_000);
    server.wake();
    expect(server.connections).toHaveLength(1);
    expect(connection.state).toEqual({ phase: "refused", reason: "wrong_server" });
    expect(server.newest.asked).toEqual([]);
  });

  it.each([
    ["garbage", "garbage"],
    ["bytes", new ArrayBuffer(8)],
    ["too much", "A".repeat(2 ** 24 + 4)],
  ])("who sends %s gets the connection closed, and no quick new one", async (_, garbage) => {
    server.onConnection = (side) => {
      side.welcome();
      side.tell({ type: "pong" });
      side.say(garbage);
    };
    connection.open();
    await later(60_000);
    expect(server.connections.every(({ isClosed }) => isClosed)).toBe(true);
    expect(server.connections.length).toBeLessThan(20);
    expect(connection.state).toMatchObject({ reason: "protocol_trouble" });
  });

  it("who repeats a frame is found out", async () => {
    await online();
    server.newest.tell({ type: "abort_ok", killed: 1 });
    server.newest.repeat();
    expect(events).toEqual([{ type: "abort_ok", killed: 1 }]);
    expect(connection.state).toMatchObject({ reason: "protocol_trouble" });
  });
});

describe("events", () => {
  it("that this version does not understand are passed over", async () => {
    await online();
    server.newest.tell({ type: "weather" }, { type: "result", text: 7 }, [], { type: "pong" });
    expect(events).toEqual([{ type: "pong" }]);
    expect(connection.state.phase).toBe("online");
  });

  it("do not come from a connection that was given up", async () => {
    await online();
    const old = server.newest;
    old.close(1006);
    old.say(old.frame({ type: "pong" }));
    expect(events).toEqual([]);
  });
});

describe("a page that came by TLS", () => {
  it("is told that it cannot reach a gateway without", () => {
    const surroundings = {
      ...server.surroundings,
      openSocket: () => {
        throw new DOMException("mixed content", "SecurityError");
      },
    };
    const options = { url: "ws://x/ws", credentials: LINK, wishes: () => ({}), whenDeleted: "end" } as const;
    const insecure = new Connection({ ...options, surroundings });
    insecure.open();
    expect(insecure.state).toEqual({ phase: "refused", reason: "insecure_page" });
    insecure.close();
  });
});
