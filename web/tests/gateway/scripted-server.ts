/**
 * A gateway's half of the protocol that does just what a test says, on sockets that are none: for moments that a real one
 * cannot be made to hit. Everything happens at once, so it goes with a clock that stands still.
 */

import { agree, decodeKey, encodeKey, newKeyPair, sealFrame, openFrame } from "../../src/protocol/crypto.ts";
import { encodeJson, encodeText, parseObject, type Fields } from "../../src/protocol/json.ts";
import type { Surroundings } from "../../src/gateway/surroundings.ts";

const identity = newKeyPair();
export const LINK = { url: "http://gateway.test", token: "t", serverKey: encodeKey(identity.publicKey) };

/** One connection of a client. */
export class ServerSide {
  readonly asked: Fields[] = [];
  auth: Fields = {};
  isClosed = false;
  readonly #socket: FakeSocket;
  #shared: Uint8Array = new Uint8Array();
  #nonces = 0n;
  #lastFrame = "";

  constructor(socket: FakeSocket) {
    this.#socket = socket;
  }

  /** Let the client in. `answer`: fields of auth_ok that are not as usual. */
  welcome(answer: Fields = {}): void {
    const keys = newKeyPair();
    const clientKey = decodeKey(this.auth["e2e_pk"]);
    this.#shared = agree(clientKey, keys.secretKey);
    const usual = {
      ...{ type: "auth_ok", chat_id: 1, e2e_pk: encodeKey(keys.publicKey), providers: [] },
      ...{ active_provider: null, active_model: null, session_id: "s", agent: "main", cursor: "e:0" },
      proof: sealFrame(agree(clientKey, identity.secretKey), new Uint8Array(24), keys.publicKey),
      ...(this.auth["cursor"] === undefined ? {} : { resume: "ok" }),
    };
    this.say(JSON.stringify({ ...usual, ...answer }));
  }

  tell(...events: object[]): void {
    for (const event of events) this.say(this.frame(event));
  }

  /** What has been said in a frame, said again. */
  repeat(): void {
    this.say(this.#lastFrame);
  }

  frame(event: object): string {
    const nonce = new Uint8Array(24).fill(1, 0, 16);
    new DataView(nonce.buffer).setBigUint64(16, this.#nonces++);
    this.#lastFrame = sealFrame(this.#shared, nonce, encodeJson(event));
    return this.#lastFrame;
  }

  say(data: unknown): void {
    this.#socket.onmessage?.({ data });
  }

  /** The answer to the request that waits for `path`. */
  answer(path: RegExp, body: unknown, status = 200): void {
    const request = this.asked.find((one) => one["type"] === "request" && path.test(String(one["path"])));
    if (request === undefined) throw new Error(`nobody asked for ${path.source}`);
    this.asked.splice(this.asked.indexOf(request), 1);
    this.tell({ type: "response", id: request["id"], status, body });
  }

  of(type: string): Fields[] {
    return this.asked.filter((one) => one["type"] === type);
  }

  close(code: number): void {
    this.isClosed = true;
    this.#socket.onclose?.({ code });
  }

  take(frame: string): void {
    if (this.#shared.length > 0) this.asked.push(parseObject(openFrame(this.#shared, frame).plaintext));
    else this.auth = parseObject(encodeText(frame));
  }
}

class FakeSocket {
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: unknown }) => void) | null = null;
  onclose: ((close: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly server = new ServerSide(this);

  send(frame: string): void {
    this.server.take(frame);
  }

  close(): void {
    this.server.isClosed = true;
  }
}

export class ScriptedServer {
  readonly connections: ServerSide[] = [];
  /** What happens to a connection when it comes. The usual: it is let in. */
  onConnection: (side: ServerSide) => void = (side) => side.welcome();
  isThere = true;
  hasNetwork = true;
  readonly #wakes = new Set<() => void>();

  readonly surroundings: Surroundings = {
    openSocket: () => {
      const socket = new FakeSocket();
      this.connections.push(socket.server);
      queueMicrotask(() => {
        if (!this.isThere) {
          socket.server.close(1006);
          return;
        }
        socket.onopen?.();
        this.onConnection(socket.server);
      });
      return socket as unknown as WebSocket;
    },
    hasNetwork: () => this.hasNetwork,
    onWake: (wake) => {
      this.#wakes.add(wake);
      return () => this.#wakes.delete(wake);
    },
  };

  get newest(): ServerSide {
    const side = this.connections.at(-1);
    if (side === undefined) throw new Error("nobody connected");
    return side;
  }

  wake(): void {
    for (const wake of this.#wakes) wake();
  }
}
