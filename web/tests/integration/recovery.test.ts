import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { textOf } from "../../src/state/turns.ts";
import { when } from "../when.ts";
import { historyOf, newBrowser, Person, saidIn, turnsIn, whenDone, whenTurn } from "./person.ts";
import { RealGateway } from "./real-gateway.ts";

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

async function somebody(browser?: IDBFactory): Promise<Person> {
  const person = await Person.open(gateway.link, browser);
  people.push(person);
  return person;
}

async function somebodyOnline(browser?: IDBFactory): Promise<Person> {
  const person = await somebody(browser);
  await person.whenPhase("online");
  return person;
}

const words = (count: number): string => Array.from({ length: count }, (_, at) => `w${at}`).join(" ");

describe("a lost connection", () => {
  it("is taken up where it broke off, each event once, however often it breaks", async () => {
    const open = await (await somebodyOnline()).newChat();
    const [person] = people;
    await open.chat.send("SLOW 80 0.02");
    for (const word of ["w5 ", "w20 ", "w40 "]) {
      await whenTurn(open, "SLOW 80 0.02", (turn) => textOf(turn).includes(word));
      person?.page.breakOff();
    }
    expect(textOf(await whenDone(open, "SLOW 80 0.02")).trim()).toBe(words(80));
    expect(saidIn(open)).toEqual(await historyOf(open.chat));
  });

  it("comes back when the network does, whatever pause it is in", async () => {
    const person = await somebodyOnline();
    person.page.cut();
    await when(() => person.state.connection.value.phase === "offline", "offline");
    expect(person.state.connection.value).toMatchObject({ reason: "no_network" });
    await when(() => person.page.opened > 5, "some attempts in vain");
    person.page.restore();
    await person.whenPhase("online");
  });
});

describe("a gateway that is started again", () => {
  it("goes on with the chats, and says that it restarts", async () => {
    const person = await somebodyOnline();
    const open = await person.newChat();
    await open.chat.send("SAY before");
    await whenDone(open, "SAY before");
    const reasons: string[] = [];
    person.gateway.home.connection.states.add((state) => {
      if (state.phase === "offline") reasons.push(state.reason);
    });
    await gateway.stop();
    await when(() => open.connection.value.phase === "offline", "offline");
    await open.chat.send("SAY after");
    expect(open.transcript.outgoing.value).toMatchObject([{ text: "SAY after", state: "waiting", isKept: true }]);
    await gateway.startAgain();
    await whenDone(open, "SAY after");
    expect(reasons[0]).toBe("gateway_restarting");
    expect(saidIn(open)).toEqual(["user: SAY before", "agent: before", "user: SAY after", "agent: after"]);
    expect(saidIn(open)).toEqual(await historyOf(open.chat));
  });

  it("after a crash in the middle of a turn shows what was said, as interrupted", async () => {
    const open = await (await somebodyOnline()).newChat();
    await open.chat.send("SLOW 1000 0.02");
    await open.chat.send("SAY next");
    await whenTurn(open, "SLOW 1000 0.02", (turn) => textOf(turn).includes("w40 "));
    await gateway.stop("SIGKILL");
    await gateway.startAgain();
    const cut = await whenDone(open, "SLOW 1000 0.02");
    expect(cut).toMatchObject({ status: "interrupted" });
    expect(textOf(cut)).toMatch(/^w0 w1/);
    expect(textOf(await whenDone(open, "SAY next"))).toBe("next");
    expect(saidIn(open)).toEqual(await historyOf(open.chat));
  });
});

describe("what was typed", () => {
  it("offline is sent after a reload, once, in its order, also in chats that nobody opens", async () => {
    const browser = newBrowser();
    const before = await somebodyOnline(browser);
    const [one, other] = [await before.newChat(), await before.newChat()];
    before.page.cut();
    await when(() => one.connection.value.phase === "offline", "offline");
    for (let at = 0; at < 5; at++) await one.chat.send(`SAY ${at}`);
    await other.chat.send("SAY elsewhere");
    before.leave();

    const after = await somebodyOnline(browser);
    const open = await after.openChat(await sessionOf(after, one.chat.feed.sessionId));
    await whenDone(open, "SAY 4");
    const said = await historyOf(open.chat);
    expect(said.filter((line) => line.startsWith("user"))).toEqual([0, 1, 2, 3, 4].map((at) => `user: SAY ${at}`));
    await when(
      async () => (await after.gateway.api.sessions.get(other.chat.feed.sessionId ?? "")).messageCount === 2,
      "the message in the other chat",
    );
    expect(open.transcript.outgoing.value).toEqual([]);
  });

  it("is run once though the receipt was lost", async () => {
    const open = await (await somebodyOnline()).newChat();
    const [person] = people;
    for (let at = 0; at < 10; at++) {
      const isSent = when(
        () => open.chat.outbox.messages.some(({ state }) => state === "sending") || turnsIn(open).length > at,
        "a message on its way",
      );
      void open.chat.send(`SAY ${at}`);
      await isSent;
      person?.page.breakOff();
      await whenDone(open, `SAY ${at}`);
    }
    const expected = Array.from({ length: 10 }, (_, at) => [`user: SAY ${at}`, `agent: ${at}`]).flat();
    expect(await historyOf(open.chat)).toEqual(expected);
    expect(saidIn(open)).toEqual(expected);
  });

  it("in one page is not sent by another, as long as that is open", async () => {
    const browser = newBrowser();
    const one = await somebodyOnline(browser);
    const session = await one.gateway.api.sessions.create();
    const here = await one.openChat(session);
    one.page.cut();
    await when(() => here.connection.value.phase === "offline", "offline");
    await here.chat.send("SAY from the first page");

    const other = await somebodyOnline(browser);
    const there = await other.openChat(session);
    await there.chat.send("SAY from the second page");
    await whenDone(there, "SAY from the second page");
    expect(turnsIn(there)).toHaveLength(1);
    expect(there.transcript.outgoing.value).toEqual([]);

    one.leave();
    expect(textOf(await whenDone(there, "SAY from the first page"))).toBe("from the first page");
  });

  it("can be taken back as long as it waits", async () => {
    const browser = newBrowser();
    const person = await somebodyOnline(browser);
    const open = await person.newChat();
    person.page.cut();
    await when(() => open.connection.value.phase === "offline", "offline");
    const id = (await open.chat.send("SAY never")) ?? "";
    expect(await open.chat.outbox.discard(id)).toBe("SAY never");
    await open.chat.send("SAY this");
    person.page.restore();
    await whenDone(open, "SAY this");
    expect(await historyOf(open.chat)).toEqual(["user: SAY this", "agent: this"]);
  });

  it("is sent also where the browser keeps nothing, and people are told", async () => {
    const person = await somebodyOnline(noStorage);
    const open = await person.newChat();
    person.page.cut();
    await when(() => open.connection.value.phase === "offline", "offline");
    await open.chat.send("SAY all the same");
    expect(open.transcript.outgoing.value).toMatchObject([{ isKept: false }]);
    person.page.restore();
    await whenDone(open, "SAY all the same");
  });

  it("and is too large for the gateway is not tried again, and holds nothing up", async () => {
    const open = await (await somebodyOnline()).newChat();
    const large = `SAY ${"x".repeat(1_500_000)}`;
    await open.chat.send(large);
    await open.chat.send("SAY small");
    await whenDone(open, "SAY small");
    expect(open.transcript.outgoing.value).toMatchObject([{ text: large, state: "failed", error: "too_large" }]);
    await expect(open.chat.send(" \n")).rejects.toMatchObject({ code: "empty" });
  });
});

/** A browser that lets nobody keep anything. */
const noStorage = {
  open: () => {
    throw new DOMException("no", "SecurityError");
  },
} as unknown as IDBFactory;

async function sessionOf(person: Person, id: string | null): Promise<{ chatId: number; channelId: number | null }> {
  return person.gateway.api.sessions.get(id ?? "");
}
