/**
 * The gateways that this browser knows, and what opens them.
 *
 * Where the browser has WebCrypto (secure pages) a token is kept encrypted in the database, under a key that no script can
 * read out: whoever copies the files of the browser's profile gets no token in the clear. Elsewhere tokens last as long as
 * the window, in its session storage. The names and addresses of gateways are no secret.
 */

import { isFields, maybeText } from "../protocol/json.ts";
import type { Database } from "./database.ts";
import { GatewayError } from "./errors.ts";
import type { GatewayLink } from "./link.ts";

export interface KnownGateway {
  readonly url: string;
  /** What people call it here. */
  readonly name: string;
  /** Epoch milliseconds. */
  readonly usedAt: number;
  /** False: the token is gone when the window closes. */
  readonly isKept: boolean;
}

interface KeptGateway {
  readonly url: string;
  readonly name: string;
  readonly usedAt: number;
  readonly nonce: BufferSource;
  readonly sealed: BufferSource;
}

const KEY = "tokens";
const CIPHER = "AES-GCM";
const NONCE_BYTES = 12;
const SESSION_PREFIX = "sygen:gateway:";

export interface CredentialsOptions {
  readonly database: Database | null;
  readonly subtle?: SubtleCrypto | undefined;
  readonly session?: Storage | undefined;
}

export class CredentialStore {
  readonly #database: Database | null;
  readonly #subtle: SubtleCrypto | undefined;
  readonly #session: Storage | undefined;

  constructor(options: CredentialsOptions) {
    this.#database = options.database;
    this.#subtle = options.subtle;
    this.#session = options.session;
  }

  /** Whether tokens outlast the window. */
  get canKeep(): boolean {
    return this.#database !== null && this.#subtle !== undefined;
  }

  /** The one used last first. */
  async list(): Promise<readonly KnownGateway[]> {
    const kept = (await this.#database?.all("gateways")) ?? [];
    const known = [
      ...this.#inSession().map(({ url, name, usedAt }) => ({ url, name, usedAt, isKept: false })),
      ...kept.filter(isKept).map(({ url, name, usedAt }) => ({ url, name, usedAt, isKept: true })),
    ];
    return known.sort((one, other) => other.usedAt - one.usedAt);
  }

  /** Remember a gateway, or what has changed about it. Rejects with GatewayError(storage_full or storage_failed). */
  async save(link: GatewayLink, name: string, usedAt = Date.now()): Promise<KnownGateway> {
    const { url, token, serverKey } = link;
    if (this.#database === null || this.#subtle === undefined) {
      this.#keepInSession({ url, name, usedAt, token, serverKey });
      return { url, name, usedAt, isKept: false };
    }
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
    const key = await this.#key(this.#database, this.#subtle);
    const secret = new TextEncoder().encode(JSON.stringify({ token, serverKey }));
    const sealed = await this.#subtle.encrypt({ name: CIPHER, iv: nonce, additionalData: addressOf(url) }, key, secret);
    await this.#database.put("gateways", { url, name, usedAt, nonce, sealed } satisfies KeptGateway);
    return { url, name, usedAt, isKept: true };
  }

  /** Null for a gateway that is not known. Rejects with GatewayError(credentials_lost) if its token cannot be read any more. */
  async load(url: string): Promise<GatewayLink | null> {
    const inSession = this.#inSession().find((one) => one.url === url);
    if (inSession !== undefined) return { url, token: inSession.token, serverKey: inSession.serverKey };
    if (this.#database === null || this.#subtle === undefined) return null;
    const kept = await this.#database.get("gateways", url);
    if (!isKept(kept)) return null;
    try {
      const key = await this.#key(this.#database, this.#subtle);
      const cipher = { name: CIPHER, iv: kept.nonce, additionalData: addressOf(url) };
      const secret: unknown = JSON.parse(
        new TextDecoder().decode(await this.#subtle.decrypt(cipher, key, kept.sealed)),
      );
      if (!isFields(secret)) throw new Error("no object");
      return { url, token: maybeText(secret, "token") ?? "", serverKey: maybeText(secret, "serverKey") };
    } catch (error) {
      if (error instanceof GatewayError) throw error;
      throw new GatewayError("credentials_lost");
    }
  }

  async forget(url: string): Promise<void> {
    this.#session?.removeItem(SESSION_PREFIX + url);
    await this.#database?.delete("gateways", url);
  }

  /** All gateways, and the key that their tokens were encrypted with. */
  async forgetAll(): Promise<void> {
    for (const { url } of this.#inSession()) this.#session?.removeItem(SESSION_PREFIX + url);
    await this.#database?.clear("gateways");
    await this.#database?.clear("keys");
  }

  /** Made when it is first needed. Two pages that both make one agree on the one that was stored first. */
  async #key(database: Database, subtle: SubtleCrypto): Promise<CryptoKey> {
    const found = await database.get("keys", KEY);
    if (found !== undefined) return found as CryptoKey;
    const made = await subtle.generateKey({ name: CIPHER, length: 256 }, false, ["encrypt", "decrypt"]);
    return database.change("keys", "readwrite", async (records) => {
      const first = await new Promise<unknown>((resolve, reject) => {
        const request = records.get(KEY);
        request.onsuccess = () => {
          if (request.result === undefined) records.put(made, KEY);
          resolve(request.result);
        };
        request.onerror = () => reject(request.error ?? new Error("failed"));
      });
      return (first as CryptoKey | undefined) ?? made;
    });
  }

  #keepInSession(gateway: GatewayLink & { readonly name: string; readonly usedAt: number }): void {
    try {
      this.#session?.setItem(SESSION_PREFIX + gateway.url, JSON.stringify(gateway));
    } catch {
      throw new GatewayError("storage_full");
    }
  }

  #inSession(): (GatewayLink & { name: string; usedAt: number })[] {
    const session = this.#session;
    if (session === undefined) return [];
    const names = Array.from({ length: session.length }, (_, at) => session.key(at) ?? "");
    return names
      .filter((name) => name.startsWith(SESSION_PREFIX))
      .flatMap((name) => {
        const gateway: unknown = JSON.parse(session.getItem(name) ?? "null");
        if (!isFields(gateway)) return [];
        const url = name.slice(SESSION_PREFIX.length);
        const usedAt = typeof gateway["usedAt"] === "number" ? gateway["usedAt"] : 0;
        const token = maybeText(gateway, "token") ?? "";
        return [
          { url, name: maybeText(gateway, "name") ?? url, usedAt, token, serverKey: maybeText(gateway, "serverKey") },
        ];
      });
  }
}

/** A token that is put beside another address does not open. */
const addressOf = (url: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(url);

function isKept(value: unknown): value is KeptGateway {
  return isFields(value) && typeof value["url"] === "string" && value["sealed"] !== undefined;
}
