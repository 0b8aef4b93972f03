import { signal } from "@preact/signals";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Route } from "../../src/app/router.ts";
import type { DesktopNotification } from "../../src/notifications/desktop.ts";
import { followForDesktop } from "../../src/notifications/follow-for-desktop.ts";
import type { OpenChat } from "../../src/state/gateway.ts";
import { Person } from "../integration/person.ts";
import { RealGateway } from "../integration/real-gateway.ts";
import { when } from "../when.ts";

let gateway: RealGateway;
let person: Person;
let shown: DesktopNotification[];
let taken: string[];
let end: () => void;

const route = signal<Route>({ name: "chat", session: null });

beforeAll(async () => {
  gateway = await RealGateway.start();
});
afterAll(() => gateway.remove());
beforeEach(async () => {
  route.value = { name: "chat", session: null };
  [shown, taken] = [[], []];
  person = await Person.online(gateway.link);
  const desktop = {
    show: (given: DesktopNotification) => Promise.resolve(void shown.push(given)),
    take: (tag: string) => Promise.resolve(void taken.push(tag)),
  };
  end = followForDesktop(person.state, desktop, route);
});
afterEach(() => {
  end();
  person.leave();
});

const whenShown = (kind: string): Promise<DesktopNotification> =>
  when(() => shown.find(({ tag }) => tag.startsWith(`${kind}:`)) ?? null, kind);

async function sent(open: OpenChat, text: string): Promise<void> {
  let isAccepted = false;
  const stop = open.chat.outbox.acceptances.add(() => (isAccepted = true));
  await open.chat.send(text);
  await when(() => isAccepted, "that the gateway has it");
  stop();
}

describe("the desktop is told", () => {
  it("of what arrives, once, with the way to it", async () => {
    const task = await person.gateway.api.tasks.create({ prompt: "SAY All is **well**.", title: "Look" });
    const { title, body, to } = await whenShown("notification");
    expect([title, body]).toEqual(["Look is done", "All is well."]);
    expect(to).toEqual({ name: "automation", tab: "tasks", id: task.id });
    expect(shown).toHaveLength(1);
  });

  it("of what waits for an answer, until it has one", async () => {
    await person.state.gateway.home.send('ASK Bash {"command": "rm\u202e -r x"}');
    const { tag, body, to } = await whenShown("approval");
    expect(body).toBe("rm\ufffd -r x");
    expect(to).toEqual({ name: "chat", session: person.gateway.home.feed.sessionId });
    await person.gateway.approvals.answer(tag.slice("approval:".length), "deny");
    expect(taken).toEqual([tag]);
  });

  it("of an answer to what was asked here, though another chat is looked at by then", async () => {
    const session = await person.gateway.api.sessions.create({ title: "Garden" });
    const openings = vi.spyOn(person.state, "openChat");
    route.value = { name: "chat", session: session.id };
    await when(() => openings.mock.calls.length === 1, "the chat that is followed");
    const open = person.state.openChat(session);
    await person.state.sessions.load();
    await sent(open, "SLOW 10 0.05");
    route.value = { name: "settings", section: "about" };
    open.close();
    const { title, body, to } = await whenShown("turn");
    expect([title, to]).toEqual(["Answered: Garden", { name: "chat", session: session.id }]);
    expect(body).toContain("w9");
  });

  it("of no answer that was asked for elsewhere, or was stopped", async () => {
    const other = await Person.online(gateway.link);
    const home = { chat: person.gateway.home } as OpenChat;
    await other.gateway.home.send("SAY from elsewhere");
    await sent(home, "SLOW 100 0.1");
    await person.gateway.home.abort();
    await sent(home, "SAY asked for here");
    const { body } = await whenShown("turn");
    expect(body).toBe("asked for here");
    expect(shown.filter(({ tag }) => tag.startsWith("turn:"))).toHaveLength(1);
    other.leave();
  });
});
