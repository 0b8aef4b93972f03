import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CredentialStore } from "../../src/gateway/credentials.ts";
import { Database } from "../../src/gateway/database.ts";
import { KeptMessages } from "../../src/gateway/kept-messages.ts";
import type { Surroundings } from "../../src/gateway/surroundings.ts";
import { joinTabs, type Tabs } from "../../src/gateway/tabs.ts";
import { encodeKey, newKeyPair } from "../../src/protocol/crypto.ts";
import { Client } from "../../src/state/client.ts";
import { when } from "../when.ts";

const KEY = encodeKey(newKeyPair().publicKey);
const LINK = { url: "http://h:1", token: "tok", serverKey: KEY };
const OTHER = { url: "http://h:2", token: "other", serverKey: null };

const withoutNetwork: Surroundings = {
  openSocket: () => {
    throw new Error("there is no network");
  },
  hasNetwork: () => false,
  onWake: () => () => undefined,
};

let database: Database;
const windows: { readonly client: Client; readonly tabs: Tabs }[] = [];

/** Another window of the same browser. */
function openWindow(): Client {
  const credentials = new CredentialStore({ database, subtle: globalThis.crypto.subtle });
  const tabs = joinTabs(undefined);
  const client = new Client({ database, credentials, tabs, device: "test", surroundings: withoutNetwork });
  windows.push({ client, tabs });
  return client;
}

const namesOf = (client: Client): string[] => client.gateways.value.map(({ name }) => name);

beforeEach(async () => {
  vi.stubGlobal("IDBKeyRange", IDBKeyRange);
  const opened = await Database.open(new IDBFactory());
  if (opened === null) throw new Error("no database");
  database = opened;
});

afterEach(async () => {
  for (const { client, tabs } of windows.splice(0)) {
    for (const { url } of client.gateways.value) await client.forget(url);
    tabs.close();
  }
  vi.unstubAllGlobals();
});

describe("a gateway that is known", () => {
  it("keeps its name and its identity key when a link without them is opened", async () => {
    const client = openWindow();
    await client.add(LINK);
    await client.rename(LINK.url, "Home");
    expect(namesOf(client)).toEqual(["Home"]);
    await client.add({ ...LINK, token: "new", serverKey: null });
    expect(namesOf(client)).toEqual(["Home"]);
    expect(await client.identityOf(LINK.url)).toBe(KEY);
    const newer = encodeKey(newKeyPair().publicKey);
    await client.add({ ...LINK, serverKey: newer });
    expect(await client.identityOf(LINK.url)).toBe(newer);
  });

  it("is not the one that was used last because it was renamed", async () => {
    const client = openWindow();
    vi.useFakeTimers({ now: 1_000, toFake: ["Date"] });
    await client.add(OTHER);
    vi.setSystemTime(2_000);
    await client.add(LINK);
    vi.setSystemTime(3_000);
    await client.rename(OTHER.url, "Old");
    vi.useRealTimers();
    expect(namesOf(client)).toEqual(["h:1", "Old"]);
    expect(client.current.value?.gateway.url).toBe(LINK.url);
  });

  it("says that what opens it is lost, until something else is done", async () => {
    const client = openWindow();
    await client.add(LINK);
    await database.clear("keys");
    const next = openWindow();
    await next.openLast();
    expect([next.trouble.value, next.current.value, namesOf(next)]).toEqual(["credentials_lost", null, ["h:1"]]);
    await expect(next.identityOf(LINK.url)).rejects.toMatchObject({ code: "credentials_lost" });
    await next.add(LINK);
    expect([next.trouble.value, next.current.value?.gateway.url]).toEqual([null, LINK.url]);
  });
});

describe("forgetting everything", () => {
  it("leaves nothing in this browser, also not of gateways that are not known any more, nor in other windows", async () => {
    const [client, other] = [openWindow(), openWindow()];
    await client.add(OTHER);
    await client.add(LINK);
    await other.openLast();
    other.drafts.write(LINK.url, "c", "half a sen");
    await other.drafts.keep();
    const message = { id: "m", text: "waits", createdAt: 1, owner: "nobody", chat: "c" };
    await new KeptMessages(database).add({ ...message, gateway: "http://gone" });
    await client.forgetAll();
    await when(() => other.current.value === null, "the other window");
    expect([client.current.value, namesOf(client), namesOf(other)]).toEqual([null, [], []]);
    expect(other.drafts.of(LINK.url, "c").value).toBe("");
    await other.drafts.keep();
    for (const store of ["gateways", "keys", "drafts", "outbox"] as const)
      expect(await database.all(store)).toEqual([]);
  });

  it("is more than forgetting one", async () => {
    const client = openWindow();
    await client.add(OTHER);
    await client.add(LINK);
    for (const url of [LINK.url, OTHER.url]) client.drafts.write(url, "c", "draft");
    await client.drafts.keep();
    await client.forget(LINK.url);
    expect([client.current.value, namesOf(client)]).toEqual([null, ["h:2"]]);
    expect(await database.all("drafts")).toHaveLength(1);
    expect(client.drafts.of(OTHER.url, "c").value).toBe("draft");
  });
});
