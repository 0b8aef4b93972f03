/** A page around a connection, as tests play it: its network can be cut, and it can be woken. */

import WebSocket from "ws";
import type { Surroundings } from "../src/gateway/surroundings.ts";

export class TestPage {
  /** How many sockets were opened. */
  opened = 0;
  #isCut = false;
  readonly #sockets = new Set<WebSocket>();
  readonly #wakes = new Set<() => void>();

  readonly surroundings: Surroundings = {
    openSocket: (url) => {
      this.opened++;
      const socket = new WebSocket(this.#isCut ? "ws://127.0.0.1:9/ws" : url, { perMessageDeflate: false });
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      return socket as unknown as globalThis.WebSocket;
    },
    hasNetwork: () => !this.#isCut,
    onWake: (wake) => {
      this.#wakes.add(wake);
      return () => this.#wakes.delete(wake);
    },
  };

  /** All connections break, and none can be made. */
  cut(): void {
    this.#isCut = true;
    this.breakOff();
  }

  /** All connections break, and can be made anew. */
  breakOff(): void {
    for (const socket of this.#sockets) socket.terminate();
  }

  restore(): void {
    this.#isCut = false;
    this.wake();
  }

  wake(): void {
    for (const wake of this.#wakes) wake();
  }
}
