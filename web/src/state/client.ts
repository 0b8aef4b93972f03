/** The whole client for screens: which gateways there are, and the one that is open. */

import { signal, type ReadonlySignal } from "@preact/signals";
import { CredentialStore, type KnownGateway } from "../gateway/credentials.ts";
import { Database } from "../gateway/database.ts";
import { GatewayError, type ErrorCode } from "../gateway/errors.ts";
import { Gateway } from "../gateway/gateway.ts";
import { KeptMessages } from "../gateway/kept-messages.ts";
import type { GatewayLink } from "../gateway/link.ts";
import type { Surroundings } from "../gateway/surroundings.ts";
import { joinTabs, type Tabs } from "../gateway/tabs.ts";
import { Drafts } from "./drafts.ts";
import { GatewayState } from "./gateway.ts";

interface Parts {
  readonly database: Database | null;
  readonly credentials: CredentialStore;
  readonly tabs: Tabs;
  readonly device: string;
  readonly surroundings?: Surroundings;
}

export class Client {
  readonly drafts: Drafts;
  readonly gateways: ReadonlySignal<readonly KnownGateway[]>;
  /** The gateway that is looked at. */
  readonly current: ReadonlySignal<GatewayState | null>;
  readonly trouble: ReadonlySignal<ErrorCode | null>;
  /** Whether tokens outlast the window; if not, people should hear of it. */
  readonly canKeepTokens: boolean;
  /** Whether drafts and messages that wait to be sent do. */
  readonly canKeepDrafts: boolean;

  readonly #parts: Parts;
  readonly #kept: KeptMessages;
  readonly #gateways = signal<readonly KnownGateway[]>([]);
  readonly #current = signal<GatewayState | null>(null);
  readonly #trouble = signal<ErrorCode | null>(null);

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#kept = new KeptMessages(parts.database);
    this.drafts = new Drafts(parts.database);
    this.gateways = this.#gateways;
    this.current = this.#current;
    this.trouble = this.#trouble;
    this.canKeepTokens = parts.credentials.canKeep;
    this.canKeepDrafts = parts.database !== null;
    parts.tabs.forgettings.add(() => void this.#letGo());
  }

  /**
   * Remember the gateway of a link, and open it. It is opened also where it cannot be remembered. One that is known keeps its
   * name, and an identity key that the link does not name: else a shorter link would take the proof away that it is the same.
   */
  async add(link: GatewayLink): Promise<void> {
    let wanted = link;
    await this.#trying(async () => {
      const { credentials } = this.#parts;
      const known = (await credentials.list()).find(({ url }) => url === link.url);
      const serverKey = link.serverKey ?? (known === undefined ? null : await this.#knownIdentity(link.url));
      wanted = { ...link, serverKey };
      await credentials.save(wanted, known?.name ?? new URL(link.url).host);
    });
    this.#open(wanted);
    await this.#list();
  }

  /** Open a gateway that is known. */
  async open(url: string): Promise<void> {
    await this.#trying(async () => {
      const known = this.#gateways.peek().find((one) => one.url === url);
      const link = await this.#parts.credentials.load(url);
      if (link === null) return;
      this.#open(link);
      await this.#parts.credentials.save(link, known?.name ?? url);
    });
    await this.#list();
  }

  /** The one that was used last, if there is one. */
  async openLast(): Promise<void> {
    await this.#list();
    const last = this.#gateways.peek()[0];
    if (last !== undefined) await this.open(last.url);
  }

  /** What people call a gateway in this browser. */
  async rename(url: string, name: string): Promise<void> {
    await this.#trying(async () => {
      const [link, known] = [
        await this.#parts.credentials.load(url),
        this.#gateways.peek().find((one) => one.url === url),
      ];
      if (link !== null) await this.#parts.credentials.save(link, name, known?.usedAt);
    });
    await this.#list();
  }

  /**
   * The identity key that this browser knows of a gateway, in base64; null if nobody told it.
   * Rejects with GatewayError(credentials_lost and others) if it cannot be read any more.
   */
  async identityOf(url: string): Promise<string | null> {
    return (await this.#parts.credentials.load(url))?.serverKey ?? null;
  }

  /** Its token, its drafts, and what was not sent to it yet, are gone from this browser. */
  async forget(url: string): Promise<void> {
    if (this.#current.peek()?.gateway.url === url) this.#close();
    await this.#trying(async () => {
      await this.#parts.credentials.forget(url);
      await this.#kept.forget(url);
      await this.drafts.forget(url);
    });
    await this.#list();
  }

  /** All of that, of every gateway, also in the other windows of this browser. */
  async forgetAll(): Promise<void> {
    this.#parts.tabs.sayForgotten();
    this.#close();
    await this.#trying(async () => {
      await this.#parts.credentials.forgetAll();
      await this.#kept.forgetAll();
      await this.drafts.forget();
    });
    await this.#list();
  }

  /** The page may be about to go. */
  leave(): void {
    void this.drafts.keep();
    this.#parts.tabs.sayGone();
  }

  #open(link: GatewayLink): void {
    this.#close();
    const { tabs, device, surroundings } = this.#parts;
    const around = surroundings === undefined ? {} : { surroundings };
    const gateway = new Gateway({ link, kept: this.#kept, tabs, device, ...around });
    this.#current.value = new GatewayState(gateway);
    gateway.open();
  }

  /** Another window has everything forgotten: nothing of it may come back from here. */
  async #letGo(): Promise<void> {
    this.#close();
    this.#gateways.value = [];
    await this.#trying(() => this.drafts.forget());
  }

  async #knownIdentity(url: string): Promise<string | null> {
    try {
      return await this.identityOf(url);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return null; // what was known is lost
    }
  }

  #close(): void {
    this.#current.peek()?.close();
    this.#current.value = null;
  }

  /** What went wrong before stays to be seen. */
  async #list(): Promise<void> {
    try {
      this.#gateways.value = await this.#parts.credentials.list();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#trouble.value = error.code;
    }
  }

  async #trying(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      this.#trouble.value = null;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#trouble.value = error.code;
    }
  }
}

/** With what this browser has. */
export async function openClient(): Promise<Client> {
  const database = await Database.open();
  const { subtle } = globalThis.crypto as { subtle?: SubtleCrypto };
  const credentials = new CredentialStore({ database, subtle, session: window.sessionStorage });
  return new Client({ database, credentials, tabs: joinTabs(), device: "browser" });
}
