/**
 * Which pages of this client are open in this browser, so that each message is sent by one of them. It is an economy, and
 * keeps the order: a message that two pages send all the same runs once.
 */

import { Listeners } from "./listeners.ts";
import { newName } from "./names.ts";

const CHANNEL = "sygen-tabs";
const ANSWER_WITHIN_MS = 250;

interface Said {
  readonly from: string;
  readonly what: "who" | "here" | "gone" | "forgotten";
}

export interface Tabs {
  /** This page's name, a new one each time it is loaded. */
  readonly name: string;
  /** Told when another page says that it closes. */
  readonly departures: Listeners<[]>;
  /** Told when another page has everything forgotten that this browser keeps for them. */
  readonly forgettings: Listeners<[]>;
  /** The names of all open pages. */
  open(): Promise<ReadonlySet<string>>;
  /** This page is about to go; it may come back, as from a browser's cache. */
  sayGone(): void;
  sayForgotten(): void;
  close(): void;
}

/**
 * Web Locks know at once who is there; a page that is killed lets go of its lock. They are missing on pages that are not
 * secure: there the others are asked, and a page that is frozen does not answer.
 */
export function joinTabs(locks: LockManager | undefined = ofThisBrowser()): Tabs {
  const name = newName();
  const departures = new Listeners<[]>();
  const forgettings = new Listeners<[]>();
  const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(CHANNEL);
  const answers = new Listeners<[string]>();
  const say = (what: Said["what"]): void => channel?.postMessage({ from: name, what } satisfies Said);
  if (channel !== null) {
    channel.onmessage = ({ data }: MessageEvent<Said>) => {
      if (data.what === "who") say("here");
      else if (data.what === "here") answers.tell(data.from);
      else if (data.what === "forgotten") forgettings.tell();
      else departures.tell();
    };
  }
  const lockName = (tab: string): string => `${CHANNEL}:${tab}`;
  const letGo = new AbortController();
  void locks
    ?.request(
      lockName(name),
      () => new Promise<void>((resolve) => letGo.signal.addEventListener("abort", () => resolve())),
    )
    .catch(() => undefined);

  const asked = (): Promise<ReadonlySet<string>> =>
    new Promise((resolve) => {
      const heard = new Set([name]);
      const end = answers.add((tab) => heard.add(tab));
      say("who");
      setTimeout(() => {
        end();
        resolve(heard);
      }, ANSWER_WITHIN_MS);
    });

  return {
    name,
    departures,
    forgettings,
    open: async () => {
      if (locks === undefined) return channel === null ? new Set([name]) : asked();
      const { held = [] } = await locks.query();
      const names = held.map((lock) => lock.name ?? "").filter((lock) => lock.startsWith(lockName("")));
      return new Set([name, ...names.map((lock) => lock.slice(lockName("").length))]);
    },
    sayGone: () => say("gone"),
    sayForgotten: () => say("forgotten"),
    close: () => {
      if (letGo.signal.aborted) return;
      say("gone");
      letGo.abort();
      channel?.close();
    },
  };
}

/** Only on secure pages, whatever the types say. */
const ofThisBrowser = (): LockManager | undefined =>
  (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks;
