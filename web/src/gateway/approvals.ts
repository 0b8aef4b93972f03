/** What agents ask before they act, in all sessions of one gateway: what waits now, what becomes of it, and the answers. */

import {
  isDecision,
  type ApprovalRequest,
  type Decision,
  type Outcome,
  type ServerEvent,
} from "../protocol/messages.ts";
import type { Api } from "./api.ts";
import type { Connection } from "./connection.ts";
import { GatewayError, knownCode } from "./errors.ts";
import { Listeners } from "./listeners.ts";

export interface Settled {
  readonly request: ApprovalRequest;
  readonly decision: Outcome;
  readonly by: string | null;
}

const HISTORY = 100;

interface Answer {
  readonly decision: Decision;
  readonly resolve: () => void;
  readonly reject: (error: GatewayError) => void;
}

/** Belongs to the one connection of a gateway that asked for approvals. */
export class Approvals {
  /** Told whenever `pending` is another list. */
  readonly changes = new Listeners<[readonly ApprovalRequest[]]>();
  /** What became of a request, once for each; of those that were settled while the connection was away, too. */
  readonly settlements = new Listeners<[Settled]>();

  readonly #connection: Connection;
  readonly #api: Api;
  readonly #pending = new Map<string, ApprovalRequest>();
  /** Of the connection before, as long as nobody has said whether they wait still. */
  #unsure = new Map<string, ApprovalRequest>();
  readonly #answers = new Map<string, Answer>();

  constructor(connection: Connection, api: Api) {
    this.#connection = connection;
    this.#api = api;
    connection.hellos.add(() => this.#begin());
    connection.events.add((event) => this.#take(event));
    connection.losses.add(() => this.#lose());
  }

  /** Oldest first. */
  get pending(): readonly ApprovalRequest[] {
    return [...this.#unsure.values(), ...this.#pending.values()];
  }

  /**
   * Say yes or no; the first answer on any device counts. Rejects with GatewayError: `too_late` if this one does not,
   * `connection_lost` if nobody said whether it does: then its settlement tells.
   */
  answer(id: string, decision: Decision): Promise<void> {
    return new Promise((resolve, reject: (error: GatewayError) => void) => {
      if (this.#answers.has(id)) throw new GatewayError("conflict");
      this.#connection.send({ type: "approval", id, decision });
      this.#answers.set(id, { decision, resolve, reject });
    });
  }

  #begin(): void {
    this.#unsure = new Map([...this.#unsure, ...this.#pending]);
    this.#pending.clear();
    if (this.#unsure.size > 0) void this.#lookUp();
  }

  #take(event: ServerEvent): void {
    if (event.type === "approval_request") {
      this.#unsure.delete(event.id);
      this.#pending.set(event.id, event);
      this.#tell();
    } else if (event.type === "approval_resolved") {
      const answer = this.#answers.get(event.id);
      if (answer?.decision === event.decision) {
        this.#answers.delete(event.id);
        answer.resolve();
      } // with another decision ours came too late: the gateway says so
      this.#settle(event.id, event.decision, event.by);
    } else if (event.type === "refused") {
      const answer = this.#answers.get(event.id ?? "");
      if (answer === undefined || event.id === null) return;
      this.#answers.delete(event.id);
      const code = event.code === "not_found" ? "too_late" : knownCode(event.code);
      answer.reject(new GatewayError(code, event.message || null));
    }
  }

  #lose(): void {
    for (const answer of this.#answers.values()) answer.reject(new GatewayError("connection_lost"));
    this.#answers.clear();
  }

  /** What became of those that are not told anew. The answer to a question comes after all that is. */
  async #lookUp(): Promise<void> {
    const asked = this.#unsure;
    let past;
    try {
      past = new Map((await this.#api.approvals.history({ limit: HISTORY })).map((one) => [one.id, one]));
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return; // the next connection asks again
    }
    if (asked !== this.#unsure) return;
    for (const id of [...asked.keys()]) {
      const { decision = null, decidedBy = null } = past.get(id) ?? {};
      const isKnown = decision !== null && (isDecision(decision) || decision === "expired");
      this.#settle(id, isKnown ? decision : "cancelled", decidedBy);
    }
  }

  #settle(id: string, decision: Outcome, by: string | null): void {
    const request = this.#pending.get(id) ?? this.#unsure.get(id);
    if (request === undefined) return;
    this.#pending.delete(id);
    this.#unsure.delete(id);
    this.settlements.tell({ request, decision, by });
    this.#tell();
  }

  #tell(): void {
    this.changes.tell(this.pending);
  }
}
