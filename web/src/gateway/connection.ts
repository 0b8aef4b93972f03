/**
 * One connection to a gateway that comes back by itself: handshake, encryption, pings, and pauses between attempts.
 * Whoever uses it listens for its states, for each time it is open anew, for events, and for its loss.
 */

import { Handshake, HandshakeRefused, type AuthWishes, type Credentials, type Hello } from "../protocol/auth.ts";
import type { Encryption } from "../protocol/crypto.ts";
import { ProtocolTrouble } from "../protocol/errors.ts";
import { openEvent, sealMessage } from "../protocol/frames.ts";
import type { ClientMessage, ServerEvent } from "../protocol/messages.ts";
import { GatewayError } from "./errors.ts";
import { Listeners } from "./listeners.ts";
import { Pauses } from "./pauses.ts";
import { browser, type Surroundings } from "./surroundings.ts";

/** Why there is no connection now; it is tried again. Sentences: `offline.REASON` in the catalogues. */
export type OfflineReason =
  | "no_network"
  | "unreachable"
  | "line_lost"
  | "gateway_restarting"
  | "gateway_busy"
  | "gateway_failed"
  | "protocol_trouble"
  | "no_answer";

/** Why there will be none before somebody does something. Sentences: `refused.REASON` in the catalogues. */
export type RefusedReason = "wrong_token" | "wrong_server" | "insecure_page" | "bad_address" | "session_deleted";

export type ConnectionState =
  /** `attempt`: how often it was tried in vain since it was last there. */
  | { readonly phase: "connecting"; readonly attempt: number }
  | { readonly phase: "online"; readonly hello: Hello }
  /** `retryAt`: epoch milliseconds. */
  | { readonly phase: "offline"; readonly reason: OfflineReason; readonly retryAt: number }
  | { readonly phase: "refused"; readonly reason: RefusedReason }
  | { readonly phase: "closed" };

export interface ConnectionOptions {
  /** ws:// or wss:// */
  readonly url: string;
  readonly credentials: Credentials;
  /** Asked before each attempt, so that it names the newest cursor. */
  readonly wishes: () => AuthWishes;
  /** What becomes of the connection when its session is deleted: it is over, or goes on with a new session. */
  readonly whenDeleted: "end" | "reconnect";
  readonly surroundings?: Surroundings;
}

const HANDSHAKE_MS = 12_000;
const PING_EVERY_MS = 25_000;
const PONG_WITHIN_MS = 10_000;
const PONG_WITHIN_AFTER_WAKING_MS = 4_000;
const STEADY_MS = 5_000;
const LEAST_PAUSE_AFTER_TROUBLE_MS = 1_000;
const LEAST_BETWEEN_WAKES_MS = 1_000;
const STALE_ATTEMPT_MS = 3_000;

/** Close codes that say why. */
const REASONS: ReadonlyMap<number, OfflineReason> = new Map([
  [1001, "gateway_restarting"],
  [1011, "gateway_failed"],
  [1012, "gateway_restarting"],
  [1013, "gateway_busy"],
]);
const TOO_LARGE = 1009;

export class Connection {
  readonly states = new Listeners<[ConnectionState]>();
  /** Told each time the connection is there, before any event comes through it. */
  readonly hellos = new Listeners<[Hello]>();
  readonly events = new Listeners<[ServerEvent]>();
  /** Told when it is gone: what was sent and has no answer has none. */
  readonly losses = new Listeners<[]>();

  readonly #options: ConnectionOptions;
  readonly #surroundings: Surroundings;
  readonly #pauses = new Pauses();
  readonly #unanswered = new Map<string, number>();
  #state: ConnectionState = { phase: "closed" };
  #socket: WebSocket | null = null;
  #encryption: Encryption | null = null;
  #attempts = 0;
  #attemptedAt = 0;
  #onlineSince = 0;
  #heard = false;
  #wasDeleted = false;
  /** Somebody woke us while an attempt was on its way that may have begun too early. */
  #isWoken = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #forgetWakes: (() => void) | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#surroundings = options.surroundings ?? browser;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Null unless something can be sent now. */
  get hello(): Hello | null {
    return this.#state.phase === "online" && this.#encryption !== null ? this.#state.hello : null;
  }

  /** Connect, and stay connected until `close`. */
  open(): void {
    if (this.#forgetWakes !== null) return;
    this.#forgetWakes = this.#surroundings.onWake(() => this.#wake());
    this.#attempt();
  }

  /** Somebody asks for it: try now, also after a refusal. */
  retry(): void {
    if (this.#forgetWakes === null || this.#state.phase === "online" || this.#socket !== null) return;
    this.#pauses.reset();
    this.#attempt();
  }

  close(): void {
    this.#forgetWakes?.();
    this.#forgetWakes = null;
    const wasOnline = this.#state.phase === "online";
    this.#drop(1000);
    this.#become({ phase: "closed" });
    if (wasOnline) this.losses.tell();
  }

  /** Throws GatewayError(connection_lost) unless the connection is there. */
  send(message: ClientMessage): void {
    if (this.#socket === null || this.#encryption === null) throw new GatewayError("connection_lost");
    const frame = sealMessage(this.#encryption, message);
    if ("id" in message) this.#unanswered.set(message.id, frame.length);
    this.#socket.send(frame);
  }

  // --- one attempt ---------------------------------------------------------------------------------------------------

  #attempt(): void {
    clearTimeout(this.#timer);
    this.#attemptedAt = Date.now();
    this.#isWoken = false;
    this.#become({ phase: "connecting", attempt: this.#attempts++ });
    let handshake: Handshake;
    let socket: WebSocket;
    try {
      handshake = new Handshake(this.#options.credentials, this.#options.wishes());
      socket = this.#surroundings.openSocket(this.#options.url);
    } catch (error) {
      // A page that came by TLS may not open a socket without; an address may be none.
      const reason = error instanceof DOMException && error.name === "SecurityError" ? "insecure_page" : "bad_address";
      this.#refuse(error instanceof HandshakeRefused ? "wrong_server" : reason);
      return;
    }
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lose("no_answer"), HANDSHAKE_MS);
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      socket.send(handshake.firstFrame);
    };
    socket.onerror = () => undefined; // a close follows; where sockets are event emitters somebody has to listen
    socket.onmessage = (message) => this.#shakeHands(handshake, message.data);
    socket.onclose = ({ code }) => this.#lose(REASONS.get(code) ?? (wasOpen ? "line_lost" : "unreachable"), code);
  }

  #shakeHands(handshake: Handshake, answer: unknown): void {
    try {
      const { hello, encryption } = handshake.finish(typeof answer === "string" ? answer : "");
      this.#encryption = encryption;
      this.#welcome(hello);
    } catch (error) {
      if (error instanceof HandshakeRefused) this.#refused(error);
      else if (error instanceof ProtocolTrouble) this.#lose("protocol_trouble");
      else throw error;
    }
  }

  #refused({ reason }: HandshakeRefused): void {
    if (reason === "auth_failed") this.#refuse("wrong_token");
    else if (reason === "wrong_server") this.#refuse("wrong_server");
    else this.#lose("protocol_trouble");
  }

  #welcome(hello: Hello): void {
    clearTimeout(this.#timer);
    this.#attempts = 0;
    this.#onlineSince = Date.now();
    if (this.#socket !== null) this.#socket.onmessage = (message) => this.#take(message.data);
    this.#become({ phase: "online", hello });
    this.hellos.tell(hello);
    this.#pingLater();
  }

  // --- while it is there ---------------------------------------------------------------------------------------------

  #take(frame: unknown): void {
    if (this.#encryption === null) return;
    let event: ServerEvent | null;
    try {
      event = openEvent(this.#encryption, frame);
    } catch (error) {
      if (!(error instanceof ProtocolTrouble)) throw error;
      // One that does not open means that somebody meddles. One that opens comes from the gateway: pass over what it
      // means, for it would come again on the next connection.
      if (error.code === "decrypt_failed") this.#lose("protocol_trouble");
      return;
    }
    this.#heard = true;
    if (event === null) return;
    if (event.type === "accepted" || event.type === "response" || event.type === "refused") {
      if (event.id !== null) this.#unanswered.delete(event.id);
    }
    if (event.type === "session_deleted") this.#wasDeleted = true;
    this.events.tell(event);
  }

  #pingLater(): void {
    clearTimeout(this.#timer);
    this.#heard = false;
    this.#timer = setTimeout(() => {
      if (this.#heard) this.#pingLater();
      else this.#ping(PONG_WITHIN_MS);
    }, PING_EVERY_MS);
  }

  #ping(withinMs: number): void {
    clearTimeout(this.#timer);
    this.#heard = false;
    this.send({ type: "ping" });
    this.#timer = setTimeout(() => {
      if (this.#heard) this.#pingLater();
      else this.#lose("line_lost");
    }, withinMs);
  }

  /** The network is there again, or the page is looked at: whatever we believed of the connection may be wrong. */
  #wake(): void {
    const state = this.#state;
    const age = Date.now() - this.#attemptedAt;
    if (state.phase === "online") this.#ping(PONG_WITHIN_AFTER_WAKING_MS);
    else if (state.phase === "connecting") {
      this.#isWoken = true;
      if (age < STALE_ATTEMPT_MS) return;
      this.#drop(1000); // it began on another network, or on none
      this.#attempt();
    } else if (state.phase === "offline") {
      const pause = this.#pauseWhenWoken();
      if (state.retryAt - Date.now() > pause) this.#attemptIn(pause, state.reason);
    }
  }

  #pauseWhenWoken(): number {
    return Math.max(0, LEAST_BETWEEN_WAKES_MS - (Date.now() - this.#attemptedAt));
  }

  // --- the end of it -------------------------------------------------------------------------------------------------

  #lose(reason: OfflineReason, code = 0): void {
    const wasOnline = this.#state.phase === "online";
    const isTrouble = reason === "protocol_trouble";
    const wasSteady = wasOnline && !isTrouble && Date.now() - this.#onlineSince >= STEADY_MS;
    const tooLarge = code === TOO_LARGE ? this.#largestUnanswered() : null;
    this.#drop(isTrouble ? 1002 : 1000);
    if (wasSteady) this.#pauses.reset();
    else if (wasOnline && (reason === "line_lost" || reason === "gateway_restarting")) this.#pauses.ease();
    if (tooLarge !== null) this.events.tell({ type: "refused", code: "too_large", message: "", id: tooLarge });
    if (this.#wasDeleted && this.#options.whenDeleted === "end") {
      this.#become({ phase: "refused", reason: "session_deleted" });
    } else {
      this.#wasDeleted = false;
      const least = isTrouble || reason === "gateway_busy" ? LEAST_PAUSE_AFTER_TROUBLE_MS : 0;
      const pause = this.#pauses.next(least);
      const soon = Math.max(least, this.#pauseWhenWoken());
      this.#attemptIn(
        this.#isWoken ? Math.min(pause, soon) : pause,
        this.#surroundings.hasNetwork() || isTrouble ? reason : "no_network",
      );
    }
    if (wasOnline) this.losses.tell();
  }

  #attemptIn(pause: number, reason: OfflineReason): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#attempt(), pause);
    this.#become({ phase: "offline", reason, retryAt: Date.now() + pause });
  }

  #refuse(reason: RefusedReason): void {
    this.#drop(1000);
    this.#become({ phase: "refused", reason });
  }

  /** A frame was too large for the gateway: then it was the largest that has no answer yet. It is not sent again. */
  #largestUnanswered(): string | null {
    const [largest] = [...this.#unanswered].sort(([, one], [, other]) => other - one);
    return largest?.[0] ?? null;
  }

  #drop(code: number): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.#encryption = null;
    this.#unanswered.clear();
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(code === 1000 ? 1000 : 4000 + code - 1000);
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.states.tell(state);
  }
}
