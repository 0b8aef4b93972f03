/** Somebody in front of a page: a client with everything but the screen, and a database that outlasts reloads. */

import { IDBFactory } from "fake-indexeddb";
import type { Chat } from "../../src/gateway/chat.ts";
import { Database } from "../../src/gateway/database.ts";
import { Gateway, type ChatNumbers } from "../../src/gateway/gateway.ts";
import { KeptMessages } from "../../src/gateway/kept-messages.ts";
import type { GatewayLink } from "../../src/gateway/link.ts";
import { Requests } from "../../src/gateway/requests.ts";
import { joinTabs, type Tabs } from "../../src/gateway/tabs.ts";
import { GatewayState, type OpenChat } from "../../src/state/gateway.ts";
import type { Turn } from "../../src/state/turns.ts";
import { textOf } from "../../src/state/turns.ts";
import { TestPage } from "../surroundings.ts";
import { when } from "../when.ts";

/** The database of one browser. */
export const newBrowser = (): IDBFactory => new IDBFactory();

export class Person {
  readonly page = new TestPage();
  readonly state: GatewayState;
  readonly #tabs: Tabs;
  readonly #database: Database | null;

  private constructor(link: GatewayLink, database: Database | null, device: string) {
    this.#tabs = joinTabs();
    this.#database = database;
    const kept = new KeptMessages(database);
    const { surroundings } = this.page;
    const gateway = new Gateway({ link, kept, tabs: this.#tabs, device, surroundings });
    this.state = new GatewayState(gateway, (show) => setTimeout(show, 5));
  }

  static async open(link: GatewayLink, browser = newBrowser(), device = "test"): Promise<Person> {
    const person = new Person(link, await Database.open(browser), device);
    person.gateway.open();
    return person;
  }

  static async online(link: GatewayLink, browser = newBrowser(), device = "test"): Promise<Person> {
    const person = await Person.open(link, browser, device);
    await person.whenPhase("online");
    return person;
  }

  get gateway(): Gateway {
    return this.state.gateway;
  }

  async whenPhase(phase: string): Promise<void> {
    await when(() => this.state.connection.value.phase === phase, `a connection that is ${phase}`);
  }

  get requests(): Requests {
    return new Requests(this.gateway.home.connection);
  }

  /** A chat that nobody has used. */
  async newChat(): Promise<OpenChat> {
    return this.openChat(await this.gateway.api.sessions.create());
  }

  async openChat(numbers: ChatNumbers): Promise<OpenChat> {
    const open = this.state.openChat(numbers);
    await when(() => open.transcript.phase.value === "ready", "the history");
    return open;
  }

  /** The page goes, without a word. */
  leave(): void {
    this.state.close();
    this.#tabs.close();
    this.#database?.close();
  }
}

export const turnsIn = (open: OpenChat): Turn[] => open.transcript.rows.value.map((row) => row.turn.value);

/** The turn that a message has become, once `is` holds for it. */
export async function whenTurn(open: OpenChat, message: string, is: (turn: Turn) => boolean): Promise<Turn> {
  return when(
    () => turnsIn(open).find((turn) => turn.user?.text === message && is(turn)),
    `a turn of ${JSON.stringify(message)} among ${JSON.stringify(turnsIn(open))}`,
  );
}

export const whenDone = (open: OpenChat, message: string): Promise<Turn> =>
  whenTurn(open, message, ({ status }) => status !== "queued" && status !== "running");

/** Who said what, as the gateway has it. */
export async function historyOf(chat: Chat): Promise<string[]> {
  const page = await chat.api.sessions.messages(chat.feed.sessionId ?? "", { limit: 200 });
  return page.messages.map(({ sender, content }) => `${sender}: ${content}`);
}

export const saidIn = (open: OpenChat): string[] =>
  turnsIn(open).flatMap((turn) => [`user: ${turn.user?.text ?? ""}`, `agent: ${textOf(turn)}`]);
