import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { RealGateway } from "./real-gateway.ts";
import { historyOf, Person, saidIn, turnsIn, whenDone, whenTurn } from "./person.ts";
import { textOf } from "../../src/state/turns.ts";
import { encodeKey, newKeyPair } from "../../src/protocol/crypto.ts";
import { when } from "../when.ts";

let gateway: RealGateway;
let people: Person[] = [];

beforeAll(async () => {
  gateway = await RealGateway.start();
});
afterAll(() => gateway.remove());
afterEach(() => {
  for (const person of people) person.leave();
  people = [];
});

async function somebody(link = gateway.link): Promise<Person> {
  const person = await Person.online(link);
  people.push(person);
  return person;
}

async function refused(link: typeof gateway.link): Promise<Person> {
  const person = await Person.open(link);
  people.push(person);
  await person.whenPhase("refused");
  return person;
}

describe("the handshake", () => {
  it("lets in with a sealed token, and tells who answers", async () => {
    const person = await somebody();
    expect(person.state.hello.value).toMatchObject({ activeProvider: "scripted", agent: "main", resume: null });
  });

  it("lets in with an open token where no identity is known", async () => {
    await somebody({ ...gateway.link, serverKey: null });
  });

  it("ends for good with a wrong token, whatever wakes it, until somebody asks", async () => {
    const person = await refused({ ...gateway.link, token: "wrong" });
    expect(person.state.connection.value).toEqual({ phase: "refused", reason: "wrong_token" });
    for (let times = 0; times < 20; times++) person.page.wake();
    expect(person.page.opened).toBe(1);
    await expect(person.gateway.api.agents()).rejects.toMatchObject({ code: "unauthorized" });
    person.gateway.retry();
    expect(person.page.opened).toBe(2);
    await person.whenPhase("refused");
  });

  it("ends for good where who answers is not the gateway that is known", async () => {
    const person = await refused({ ...gateway.link, serverKey: encodeKey(newKeyPair().publicKey) });
    // It cannot open the token that is sealed for another; so it refuses it, as a wrong one.
    expect(person.state.connection.value).toEqual({ phase: "refused", reason: "wrong_token" });
  });
});

describe("a turn", () => {
  it("streams into its parts, in their order", async () => {
    const open = await (await somebody()).newChat();
    const message = 'THINK let me see\nTOOL Read {"path": "/a"}\nSAY one two\nSTATUS resting\nSAY three';
    await open.chat.send(message);
    const turn = await whenDone(open, message);
    expect(turn.parts).toMatchObject([
      { kind: "thinking", text: "let me see" },
      { kind: "tool", name: "Read", input: { path: "/a" }, isRunning: false, isError: false },
      { kind: "text" },
    ]);
    expect(textOf(turn)).toBe("one two\nthree");
    expect(turn).toMatchObject({ status: "done", label: null, provider: "scripted", error: null });
    expect(turn.usage?.outputTokens).toBeTypeOf("number");
    expect(open.transcript.outgoing.value).toEqual([]);
  });

  it("that did not stream has its text from the end", async () => {
    const open = await (await somebody()).newChat();
    await open.chat.send("NOSTREAM all at once");
    expect(textOf(await whenDone(open, "NOSTREAM all at once"))).toBe("all at once");
  });

  it("that fails says so", async () => {
    const open = await (await somebody()).newChat();
    await open.chat.send("FAIL out of paper");
    expect(await whenDone(open, "FAIL out of paper")).toMatchObject({
      status: "failed",
      error: { code: "internal_error" },
    });
  });

  it("takes thousands of deltas, each once", async () => {
    const open = await (await somebody()).newChat();
    await open.chat.send("TICK 3000");
    expect(textOf(await whenDone(open, "TICK 3000"))).toHaveLength(120_000);
    expect(saidIn(open)).toEqual(await historyOf(open.chat));
  });

  it("is stopped, with all that waits behind it, and keeps what was said", async () => {
    const open = await (await somebody()).newChat();
    await open.chat.send("SLOW 1000 0.05");
    await open.chat.send("SAY never");
    await whenTurn(open, "SLOW 1000 0.05", (turn) => textOf(turn).startsWith("w0 w1"));
    const waiting = await whenTurn(open, "SAY never", () => true);
    expect(waiting.status).toBe("queued");
    expect(await open.chat.send(" /STOP ")).toBeNull();
    const stopped = await whenDone(open, "SLOW 1000 0.05");
    expect(stopped).toMatchObject({ status: "aborted", reason: "abort" });
    expect(textOf(stopped)).toMatch(/^w0 w1/);
    expect(await whenDone(open, "SAY never")).toMatchObject({ status: "aborted" });
    expect(await open.chat.abort()).toBe(0);
  });

  it("shows on every device, and so does what waits", async () => {
    const [one, other] = [await somebody(), await somebody()];
    const session = await one.gateway.api.sessions.create();
    const [here, there] = [await one.openChat(session), await other.openChat(session)];
    await here.chat.send("SAY from here");
    await there.chat.send("SAY from there");
    for (const open of [here, there]) {
      await whenDone(open, "SAY from here");
      await whenDone(open, "SAY from there");
    }
    expect(saidIn(here)).toEqual(saidIn(there));
    expect(saidIn(here)).toEqual(await historyOf(here.chat));
  });
});

describe("a chat", () => {
  it("has its history, a page at a time", async () => {
    const person = await somebody();
    const session = await person.gateway.api.sessions.create();
    const first = await person.openChat(session);
    for (let at = 0; at < 30; at++) await first.chat.send(`SAY ${at}`);
    await whenDone(first, "SAY 29");
    first.close();
    const open = await person.openChat(session);
    expect(turnsIn(open)).toHaveLength(25);
    expect(open.transcript.hasMore.value).toBe(true);
    const [row] = open.transcript.rows.value;
    await open.transcript.loadOlder();
    expect(open.transcript.hasMore.value).toBe(false);
    expect(open.transcript.rows.value).toContain(row);
    expect(turnsIn(open).map((turn) => turn.user?.text)).toEqual(Array.from({ length: 30 }, (_, at) => `SAY ${at}`));
    expect(saidIn(open)).toEqual(await historyOf(open.chat));
  });

  it("that is opened in the middle of a turn shows all of it", async () => {
    const person = await somebody();
    const session = await person.gateway.api.sessions.create();
    const first = await person.openChat(session);
    await first.chat.send("SLOW 60 0.02");
    await whenTurn(first, "SLOW 60 0.02", (turn) => textOf(turn).includes("w9"));
    const open = await (await somebody()).openChat(session);
    const expected = Array.from({ length: 60 }, (_, at) => `w${at}`).join(" ");
    expect(textOf(await whenDone(open, "SLOW 60 0.02")).trim()).toBe(expected);
  });

  it("that is deleted is over, and does not come back", async () => {
    const person = await somebody();
    const session = await person.gateway.api.sessions.create();
    const open = await person.openChat(session);
    await person.gateway.api.sessions.remove(session.id);
    await when(() => open.connection.value.phase === "refused", "the end of the chat");
    expect(open.connection.value).toEqual({ phase: "refused", reason: "session_deleted" });
    expect(open.transcript.phase.value).toBe("deleted");
    await expect(open.chat.abort()).rejects.toMatchObject({ code: "connection_lost" });
  });
});
