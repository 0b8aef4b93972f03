import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Settled } from "../../src/gateway/approvals.ts";
import type { ApprovalRequest } from "../../src/protocol/messages.ts";
import { textOf } from "../../src/state/turns.ts";
import { when } from "../when.ts";
import { newBrowser, Person, whenDone } from "./person.ts";
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

async function somebody(device = "test"): Promise<Person> {
  const person = await Person.online(gateway.link, newBrowser(), device);
  people.push(person);
  return person;
}

const asking = (command: string): string => `ASK Bash ${JSON.stringify({ command })}`;

async function whenWaiting(person: Person, count: number): Promise<readonly ApprovalRequest[]> {
  const { approvals } = person.state;
  return when(() => (approvals.value.length === count ? approvals.value : null), `${count} questions`);
}

describe("approvals", () => {
  it("are asked of everybody whatever they look at, and the first answer counts", async () => {
    const [one, other] = [await somebody("desk"), await somebody("phone")];
    const open = await one.newChat();
    const settled: Settled[] = [];
    one.gateway.approvals.settlements.add((news) => settled.push(news));
    await open.chat.send(asking("ls"));
    await whenWaiting(other, 1);
    const [request] = await whenWaiting(one, 1);
    expect(request).toMatchObject({ tool: "Bash", summary: "ls", input: { command: "ls" } });
    expect(request?.sessionId).toBe(open.chat.feed.sessionId);
    await other.gateway.approvals.answer(request?.id ?? "", "allow_once");
    expect(textOf(await whenDone(open, asking("ls")))).toContain("allowed");
    expect(settled).toMatchObject([{ request: { id: request?.id }, decision: "allow_once", by: "phone" }]);
    expect(one.state.approvals.value).toEqual([]);
    await expect(one.gateway.approvals.answer(request?.id ?? "", "deny")).rejects.toMatchObject({ code: "too_late" });
  });

  it("that are denied are", async () => {
    const person = await somebody();
    const open = await person.newChat();
    await open.chat.send(asking("rm -r x"));
    const [request] = await whenWaiting(person, 1);
    await person.gateway.approvals.answer(request?.id ?? "", "deny");
    expect(textOf(await whenDone(open, asking("rm -r x")))).toContain("denied");
  });

  it("that were settled while the connection was away are told when it is back; the others wait on", async () => {
    const [one, other] = [await somebody(), await somebody("phone")];
    const [first, second] = [await other.newChat(), await other.newChat()];
    await first.chat.send(asking("first"));
    await second.chat.send(asking("second"));
    const waiting = await whenWaiting(one, 2);
    const settled: Settled[] = [];
    one.gateway.approvals.settlements.add((news) => settled.push(news));
    one.page.cut();
    await one.whenPhase("offline");
    const id = waiting.find(({ summary }) => summary === "first")?.id ?? "";
    await other.gateway.approvals.answer(id, "allow_once");
    one.page.restore();
    await when(() => settled.length > 0, "the settlement");
    expect(settled).toMatchObject([{ request: { summary: "first" }, decision: "allow_once", by: "phone" }]);
    expect(one.state.approvals.value.map(({ summary }) => summary)).toEqual(["second"]);
    await second.chat.abort();
    await whenWaiting(one, 0);
    expect(settled.at(-1)).toMatchObject({ decision: "cancelled" });
  });

  it("have a history, and rules that can be taken back", async () => {
    const person = await somebody();
    const open = await person.newChat();
    await open.chat.send(asking("always this"));
    const [request] = await whenWaiting(person, 1);
    expect(await person.gateway.api.approvals.pending()).toMatchObject([{ id: request?.id, summary: "always this" }]);
    await person.gateway.approvals.answer(request?.id ?? "", "allow_always");
    await whenDone(open, asking("always this"));
    const [newest] = await person.gateway.api.approvals.history({ limit: 1 });
    expect(newest).toMatchObject({ id: request?.id, decision: "allow_always", decidedBy: "test" });
    const [rule] = await person.gateway.api.approvals.rules();
    expect(rule).toMatchObject({ tool: "Bash", pattern: "always this" });
    await person.gateway.api.approvals.revoke(rule?.id ?? "");
    expect(await person.gateway.api.approvals.rules()).toEqual([]);
  });
});

describe("notifications", () => {
  it("arrive everywhere, and are read everywhere", async () => {
    const [one, other] = [await somebody(), await somebody()];
    await one.gateway.notifications.load();
    const arrived: string[] = [];
    one.gateway.notifications.arrivals.add(({ title }) => arrived.push(title));
    const task = await one.gateway.api.tasks.create({ prompt: "SAY done", title: "Something" });
    await when(() => [one, other].every(({ state }) => state.notifications.value.unread === 1), "the notification");
    expect(arrived).toHaveLength(1);
    const [notification] = one.state.notifications.value.list ?? [];
    expect(notification).toMatchObject({ type: "task", sourceId: task.id, read: false });
    await one.gateway.notifications.read(notification?.id ?? "");
    await when(() => other.state.notifications.value.unread === 0, "that it was read");
    await one.gateway.api.agents(); // what was told before has arrived
    expect(one.state.notifications.value).toMatchObject({ unread: 0, list: [{ read: true }] });
    expect((await one.gateway.api.tasks.get(task.id)).answer).toBe("done");
    expect((await one.gateway.api.tasks.messages(task.id)).messages).toHaveLength(2);
  });

  it("that came while the connection was away are in the list when it is back", async () => {
    const [one, other] = [await somebody(), await somebody()];
    await one.gateway.notifications.load();
    const known = one.state.notifications.value.list?.length ?? 0;
    one.page.cut();
    await one.whenPhase("offline");
    await other.gateway.api.tasks.create({ prompt: "SAY while away" });
    await when(() => other.state.notifications.value.unread === 1, "the notification");
    one.page.restore();
    await when(() => one.state.notifications.value.list?.length === known + 1, "the list");
    expect(one.state.notifications.value.unread).toBe(1);
    await one.gateway.notifications.readAll();
    expect(await other.gateway.api.notifications.unreadCount()).toBe(0);
    await when(() => other.state.notifications.value.unread === 0, "that all were read");
  });
});

describe("requests", () => {
  it("run no more than eight at once, and all are answered", async () => {
    const { api } = (await somebody()).gateway;
    const answers = await Promise.all(Array.from({ length: 60 }, () => api.status()));
    expect(new Set(answers.map(({ provider }) => provider))).toEqual(new Set(["scripted"]));
  });

  it("that read wait for the connection; those that change something tell that they do not know", async () => {
    const person = await somebody();
    person.page.cut();
    await person.whenPhase("offline");
    const reading = person.gateway.api.agents();
    person.page.restore();
    expect((await reading).map(({ name }) => name)).toEqual(["main"]);
    const changing = person.gateway.api.tasks.create({ prompt: "SAY x" });
    person.page.breakOff();
    await expect(changing).rejects.toMatchObject({ code: "connection_lost" });
  });

  it("end in time, or when nobody wants them any more", async () => {
    const person = await somebody();
    person.page.cut();
    await person.whenPhase("offline");
    const { requests } = person;
    await expect(requests.ask("GET", "/api/status", { timeoutMs: 20 })).rejects.toMatchObject({ code: "timed_out" });
    const cancel = new AbortController();
    const cancelled = requests.ask("GET", "/api/status", { signal: cancel.signal });
    cancel.abort();
    await expect(cancelled).rejects.toMatchObject({ code: "cancelled" });
  });

  it("that are refused say why", async () => {
    const { api } = (await somebody()).gateway;
    await expect(api.sessions.get("none")).rejects.toMatchObject({ code: "not_found", status: 404 });
    await expect(api.tasks.create({ prompt: " " })).rejects.toMatchObject({ code: "invalid", status: 422 });
    await expect(api.transcribe("/none.wav")).rejects.toMatchObject({ code: "forbidden" });
  });

  it("list, change and remove chats", async () => {
    const person = await somebody();
    const { sessions } = person.state;
    const made = await sessions.create({ title: "One" });
    await sessions.rename(made.id, "Another");
    await sessions.archive(made.id);
    await sessions.load();
    const inList = (): unknown => sessions.list.value?.find(({ id }) => id === made.id);
    expect(inList()).toMatchObject({ title: "Another", archived: true });
    await sessions.unarchive(made.id);
    expect(inList()).toMatchObject({ archived: false });
    await expect(sessions.rename(made.id, "")).rejects.toMatchObject({ code: "invalid" });
    expect(inList()).toMatchObject({ title: "Another" });
    const { api } = person.gateway;
    expect(await api.sessions.choose(made.id, { provider: "scripted", model: null })).toMatchObject({
      provider: "scripted",
    });
    await sessions.remove(made.id);
    await sessions.remove(made.id);
    await sessions.load();
    expect(inList()).toBeUndefined();
  });

  it("reach everything that is automatic", async () => {
    const { api } = (await somebody()).gateway;
    const job = await api.cron.create({ title: "Daily", schedule: "0 9 * * *", prompt: "SAY hi", enabled: false });
    expect(await api.cron.change(job.id, { title: "Every day", quietFrom: "22:00", quietTo: "06:00" })).toMatchObject({
      title: "Every day",
      quietFrom: "22:00",
    });
    const run = await api.cron.run(job.id);
    await when(async () => (await api.tasks.get(run.id).catch(() => null)) ?? true, "the run");
    expect((await api.cron.runs(job.id)).map(({ id }) => id)).toEqual([run.id]);
    expect((await api.cron.list()).map(({ id }) => id)).toEqual([job.id]);
    await api.cron.remove(job.id);

    const hook = await api.webhooks.create({ title: "Push", template: "{{ a }}" });
    expect(hook.secret.length).toBeGreaterThan(16);
    expect(await api.webhooks.newSecret(hook.id, "a secret of my own, long enough")).toBe(
      "a secret of my own, long enough",
    );
    const receipt = await api.webhooks.test(hook.id, { a: "SAY hi" });
    expect(receipt.duplicate).toBe(false);
    expect(await api.webhooks.deliveries(hook.id)).toHaveLength(1);
    expect(await api.webhooks.runs(hook.id)).toHaveLength(1);
    await api.webhooks.change(hook.id, { enabled: false });
    expect((await api.webhooks.list()).map(({ enabled }) => enabled)).toEqual([false]);
    await api.webhooks.remove(hook.id);

    const [provider] = (await api.providers()).filter(({ id }) => id === "scripted");
    expect(provider).toMatchObject({ available: true, reason: null });
    expect(await api.agents()).toMatchObject([{ name: "main", hasAvatar: false }]);
    expect((await api.tasks.list()).length).toBeGreaterThan(0);
  });
});
