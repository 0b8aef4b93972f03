/**
 * The gateway's JSON API through the encrypted connection. At most eight requests run at once, the others wait; they wait
 * for the connection, too. What reads only is asked again after a lost connection, what changes something is not.
 */

import { isFields, maybeText, type Json } from "../protocol/json.ts";
import type { Method, ServerEvent } from "../protocol/messages.ts";
import type { Connection, ConnectionState } from "./connection.ts";
import { GatewayError, knownCode, type ErrorCode } from "./errors.ts";
import { newName } from "./names.ts";

export interface RequestOptions {
  readonly body?: Json;
  /** From the call to the answer, waiting for a connection included. */
  readonly timeoutMs?: number;
  /** Does no harm when it is done twice, and has the same answer. The default for GET and PUT. */
  readonly again?: boolean;
  readonly signal?: AbortSignal;
}

export const TIMEOUT_MS = 30_000;
const AT_ONCE = 8;
const PAUSE_MS = 50;

/** What a request comes to while there is no way to ask it. */
const REFUSED: ReadonlyMap<string, ErrorCode> = new Map([
  ["wrong_token", "unauthorized"],
  ["session_deleted", "session_deleted"],
]);

interface Waiting {
  readonly id: string;
  readonly method: Method;
  readonly path: string;
  readonly body: Json | undefined;
  readonly again: boolean;
  readonly settle: (outcome: { readonly body: unknown } | GatewayError) => void;
  isSettled: boolean;
}

export class Requests {
  readonly #connection: Connection;
  #waiting: Waiting[] = [];
  readonly #running = new Map<string, Waiting>();
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
    connection.hellos.add(() => this.#start());
    connection.events.add((event) => this.#take(event));
    connection.losses.add(() => this.#lose());
    connection.states.add((state) => this.#follow(state));
  }

  /** The decoded body of the answer. Rejects with GatewayError. */
  ask(method: Method, path: string, options: RequestOptions = {}): Promise<unknown> {
    const { body, timeoutMs = TIMEOUT_MS, again = method === "GET" || method === "PUT", signal } = options;
    return new Promise((resolve, reject: (error: GatewayError) => void) => {
      const giveUp = (code: ErrorCode): void => waiting.settle(new GatewayError(code));
      const timer = setTimeout(() => giveUp("timed_out"), timeoutMs);
      const cancel = (): void => giveUp("cancelled");
      const waiting: Waiting = {
        ...{ id: newName(), method, path, body, again, isSettled: false },
        settle: (outcome) => {
          waiting.isSettled = true;
          clearTimeout(timer);
          signal?.removeEventListener("abort", cancel);
          if (outcome instanceof GatewayError) reject(outcome);
          else resolve(outcome.body);
        },
      };
      if (signal?.aborted === true) {
        cancel();
        return;
      }
      signal?.addEventListener("abort", cancel);
      this.#waiting.push(waiting);
      this.#follow(this.#connection.state);
      this.#start();
    });
  }

  #start(): void {
    while (this.#connection.hello !== null && this.#running.size < AT_ONCE) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if (next.isSettled) continue;
      const { id, method, path, body } = next;
      this.#running.set(id, next);
      this.#connection.send({ type: "request", id, method, path, ...(body === undefined ? {} : { body }) });
    }
  }

  #take(event: ServerEvent): void {
    if (event.type !== "response" && event.type !== "refused") return;
    const asked = this.#running.get(event.id ?? "");
    if (asked === undefined) return;
    this.#running.delete(asked.id); // also of one that nobody waits for any more: until now it took its place
    if (event.type === "refused" && event.code === "rate_limited" && !asked.isSettled) {
      this.#waiting.unshift(asked);
      this.#startLater();
      return;
    }
    if (!asked.isSettled) asked.settle(outcomeOf(event));
    this.#start();
  }

  /** The gateway counts one as running that we have the answer of. */
  #startLater(): void {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.#start(), PAUSE_MS);
  }

  #lose(): void {
    const lost = [...this.#running.values()].filter((asked) => !asked.isSettled);
    this.#running.clear();
    this.#waiting = [...lost.filter((asked) => asked.again), ...this.#waiting];
    for (const asked of lost) if (!asked.again) asked.settle(new GatewayError("connection_lost"));
  }

  #follow(state: ConnectionState): void {
    if (state.phase !== "refused" && state.phase !== "closed") return;
    const code = state.phase === "refused" ? REFUSED.get(state.reason) : undefined;
    const given = this.#waiting;
    this.#waiting = [];
    for (const asked of given) if (!asked.isSettled) asked.settle(new GatewayError(code ?? "connection_lost"));
  }
}

function outcomeOf(event: Extract<ServerEvent, { type: "response" | "refused" }>): { body: unknown } | GatewayError {
  if (event.type === "refused") return new GatewayError(knownCode(event.code), event.message || null);
  if (event.status < 400) return { body: event.body };
  const said = isFields(event.body) ? event.body : {};
  return new GatewayError(knownCode(said["code"]), maybeText(said, "error"), event.status);
}
