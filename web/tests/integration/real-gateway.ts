/** The real gateway as a child process, with the scripted agent: the lines of a message say what the agent does. */

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { once } from "node:events";
import type { GatewayLink } from "../../src/gateway/link.ts";
import { encodeKey, keyPairOf } from "../../src/protocol/crypto.ts";

const CHECKOUT = new URL("../../../.venv/bin/sygen", import.meta.url).pathname;
const PROGRAM = process.env["SYGEN_BIN"] ?? (existsSync(CHECKOUT) ? CHECKOUT : "sygen");
const TOKEN = "a token for tests, with ümlauts";
const START_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 15_000;

export class RealGateway {
  readonly #home: string;
  #port = 0;
  #process: ChildProcess | null = null;
  #identity = "";

  private constructor(home: string) {
    this.#home = home;
  }

  static async start(): Promise<RealGateway> {
    const gateway = new RealGateway(await mkdtemp(join(tmpdir(), "sygen-web-")));
    await gateway.startAgain();
    return gateway;
  }

  get link(): GatewayLink {
    return { url: `http://127.0.0.1:${this.#port}`, token: TOKEN, serverKey: this.#identity };
  }

  /** On the port that it had. */
  async startAgain(): Promise<void> {
    const words = ["serve", "--host", "127.0.0.1", "--port", String(this.#port), "--provider", "scripted"];
    const child = spawn(PROGRAM, words, {
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: this.#home,
        SYGEN_HOME: join(this.#home, "sygen"),
        SYGEN_API__TOKEN: TOKEN,
        SYGEN_API__DRAIN_S: "0",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    const said: string[] = [];
    child.stderr.on("data", (data: Buffer) => said.push(data.toString()));
    const timer = setTimeout(() => child.kill("SIGKILL"), START_WITHIN_MS);
    let url: string | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      url = /^listening on (\S+)/.exec(line)?.[1];
      if (url !== undefined) break;
    }
    clearTimeout(timer);
    if (url === undefined) throw new Error(`the gateway did not start:\n${said.join("")}`);
    child.stdout.resume();
    this.#port = Number(new URL(url).port);
    const secret = await readFile(join(this.#home, "sygen", "keys", "identity.key"));
    this.#identity = encodeKey(keyPairOf(new Uint8Array(secret)).publicKey);
  }

  /** SIGTERM: an end that the gateway says goodbye for. SIGKILL: a crash. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
    await gone;
    clearTimeout(timer);
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.#home, { recursive: true, force: true });
  }
}
