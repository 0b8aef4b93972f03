import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Cards, SETTLED_MS, type End } from "../../src/approvals/cards.ts";
import { outcomeWords, timeLeft } from "../../src/approvals/outcome.ts";
import type { Settled } from "../../src/gateway/approvals.ts";
import { GatewayError } from "../../src/gateway/errors.ts";
import { Listeners } from "../../src/gateway/listeners.ts";
import type { ApprovalRequest, Decision, Outcome } from "../../src/protocol/messages.ts";

const request = (id: string, leftS = 300): ApprovalRequest => ({
  ...{ type: "approval_request", id, sessionId: "s", agent: "main", tool: "Bash", summary: id, input: { command: id } },
  ...{ truncated: false, options: ["allow_once", "allow_always", "deny"], pattern: id, turnId: "t", cursor: "" },
  expiresAt: Date.now() / 1000 + leftS,
});

/** The gateway's side of it. */
class Source {
  pending: readonly ApprovalRequest[] = [];
  readonly changes = new Listeners<[readonly ApprovalRequest[]]>();
  readonly settlements = new Listeners<[Settled]>();
  readonly answered: [string, Decision][] = [];
  #settle: { resolve: () => void; reject: (error: GatewayError) => void } | null = null;

  ask(...requests: ApprovalRequest[]): void {
    this.pending = [...this.pending, ...requests];
    this.changes.tell(this.pending);
  }

  answer = (id: string, decision: Decision): Promise<void> => {
    this.answered.push([id, decision]);
    return new Promise((resolve, reject: (error: GatewayError) => void) => (this.#settle = { resolve, reject }));
  };

  accept(): void {
    this.#settle?.resolve();
  }

  refuse(error: GatewayError): void {
    this.#settle?.reject(error);
  }

  settle(id: string, decision: Outcome, by: string | null): void {
    const found = this.pending.find((one) => one.id === id);
    if (found === undefined) throw new Error(`nobody asked for ${id}`);
    this.pending = this.pending.filter((one) => one.id !== id);
    this.settlements.tell({ request: found, decision, by });
    this.changes.tell(this.pending);
  }
}

let said: string[];
let source: Source;
let cards: Cards;

beforeEach(() => {
  vi.useFakeTimers();
  said = [];
  source = new Source();
  cards = new Cards(source, {
    asked: ({ id }) => said.push(`asked ${id}`),
    soonOver: ({ id }) => said.push(`soon over ${id}`),
    settled: ({ id }, { outcome, by }: End) => said.push(`${id}: ${outcome} by ${by ?? "nobody"}`),
  });
});
afterEach(() => void vi.useRealTimers());

const shown = (): string[] =>
  cards.all.value.map(({ request: { id }, end }) => (end === null ? id : `${id} ${end.outcome}`));

describe("cards", () => {
  it("are there once for each question, whoever tells it again", () => {
    source.ask(request("a"), request("b"));
    source.changes.tell(source.pending); // after a new connection
    expect([shown(), said]).toEqual([
      ["a", "b"],
      ["asked a", "asked b"],
    ]);
  });

  it("tell for a moment what was answered elsewhere, in their place", () => {
    source.ask(request("a"), request("b"));
    source.settle("a", "deny", "phone");
    expect(shown()).toEqual(["a deny", "b"]);
    expect(cards.waiting.value.map(({ request: { id } }) => id)).toEqual(["b"]);
    expect(cards.all.value[0]?.end).toEqual({ outcome: "deny", by: "phone", isOurs: false });
    vi.advanceTimersByTime(SETTLED_MS - 1);
    expect(shown()).toEqual(["a deny", "b"]);
    vi.advanceTimersByTime(1);
    expect(shown()).toEqual(["b"]);
  });

  it("know their own answer, and give it once", async () => {
    source.ask(request("a"));
    const answering = cards.answer("a", "allow_once");
    await cards.answer("a", "deny");
    expect(source.answered).toEqual([["a", "allow_once"]]);
    expect(cards.all.value[0]?.answering).toBe("allow_once");
    source.accept();
    source.settle("a", "allow_once", "browser");
    await answering;
    expect(cards.all.value[0]).toMatchObject({ answering: null, trouble: null, end: { isOurs: true } });
  });

  it("that were answered too late say who was faster, and not that something went wrong", async () => {
    source.ask(request("a"));
    const answering = cards.answer("a", "allow_once");
    source.settle("a", "deny", "phone");
    source.refuse(new GatewayError("too_late"));
    await answering;
    expect(cards.all.value[0]).toMatchObject({ trouble: null, end: { outcome: "deny", by: "phone", isOurs: false } });
  });

  it("wait on when the connection is lost, and can be answered again", async () => {
    source.ask(request("a"));
    const answering = cards.answer("a", "allow_once");
    source.refuse(new GatewayError("connection_lost"));
    await answering;
    expect(cards.all.value[0]).toMatchObject({ answering: null, end: null, trouble: { code: "connection_lost" } });
    void cards.answer("a", "deny");
    expect(cards.all.value[0]?.trouble).toBeNull();
    expect(source.answered).toHaveLength(2);
  });

  it("remind once of a time that is nearly over, but not of what had no more from the beginning", () => {
    source.ask(request("long", 300), request("short", 70), request("answered", 300));
    source.settle("answered", "deny", null);
    vi.advanceTimersByTime(239_000);
    expect(said.filter((one) => one.startsWith("soon"))).toEqual([]);
    vi.advanceTimersByTime(60_000);
    expect(said.filter((one) => one.startsWith("soon"))).toEqual(["soon over long"]);
  });
});

describe("words", () => {
  it("say who answered, and how", () => {
    expect(outcomeWords("deny", "phone")).toBe("Denied on phone");
    expect(outcomeWords("allow_once", null)).toBe("Allowed once");
    expect(outcomeWords("allow_always", "192.168.1.7")).toBe("Always allowed from 192.168.1.7");
    expect(outcomeWords("deny", "fd7a::1")).toBe("Denied from fd7a::1");
    expect(outcomeWords("allow_always", "rule 3fa2")).toBe("Allowed by a rule");
    expect(outcomeWords("expired", null)).toBe("Nobody answered in time");
    expect(outcomeWords("something new", "phone")).toBe("Not needed any more");
    expect(outcomeWords("deny", "ph\u202eone")).toBe("Denied on ph<U+202E>one");
  });

  it("tell the time that is left", () => {
    expect([timeLeft(400, 101), timeLeft(105, 100), timeLeft(90, 100)]).toEqual(["4:59", "0:05", "0:00"]);
  });
});
