import { IDBFactory } from "fake-indexeddb";
import { describe, expect, it } from "vitest";
import { CredentialStore } from "../../src/gateway/credentials.ts";
import { Database } from "../../src/gateway/database.ts";
import { KeptMessages } from "../../src/gateway/kept-messages.ts";
import { Drafts } from "../../src/state/drafts.ts";
import { joinTabs } from "../../src/gateway/tabs.ts";
import { when } from "../when.ts";

const LINK = { url: "http://h:1", token: "secret token", serverKey: "key" };
const { subtle } = globalThis.crypto;

async function database(factory = new IDBFactory()): Promise<Database> {
  const opened = await Database.open(factory);
  if (opened === null) throw new Error("no database");
  return opened;
}

/** A window's session storage. */
function session(): Storage {
  const kept = new Map<string, string>();
  return {
    get length() {
      return kept.size;
    },
    key: (at) => [...kept.keys()][at] ?? null,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
    clear: () => kept.clear(),
  };
}

describe("tokens", () => {
  it("are kept encrypted, under a key that cannot be read out", async () => {
    const kept = await database();
    const store = new CredentialStore({ database: kept, subtle, session: session() });
    expect(await store.save(LINK, "Home", 5)).toEqual({ url: LINK.url, name: "Home", usedAt: 5, isKept: true });
    expect(await new CredentialStore({ database: kept, subtle }).load(LINK.url)).toEqual(LINK);
    const [record] = await kept.all("gateways");
    expect(Buffer.from((record as { sealed: ArrayBuffer }).sealed).toString()).not.toContain("secret");
    expect(Object.keys(record as object).sort()).toEqual(["name", "nonce", "sealed", "url", "usedAt"]);
    const key = (await kept.get("keys", "tokens")) as CryptoKey;
    expect(key.extractable).toBe(false);
  });

  it("of several gateways stand beside each other, the one used last first, until they are forgotten", async () => {
    const kept = await database();
    const store = new CredentialStore({ database: kept, subtle });
    await store.save(LINK, "One", 1);
    await store.save({ ...LINK, url: "http://h:2", token: "other" }, "Two", 2);
    expect((await store.list()).map(({ name }) => name)).toEqual(["Two", "One"]);
    expect(await store.load("http://h:2")).toMatchObject({ token: "other" });
    await store.forget("http://h:2");
    expect(await store.load("http://h:2")).toBeNull();
    await store.forgetAll();
    expect(await store.list()).toEqual([]);
    expect(await kept.get("keys", "tokens")).toBeUndefined();
  });

  it("that were put beside another address, or lost their key, do not open", async () => {
    const kept = await database();
    const store = new CredentialStore({ database: kept, subtle });
    await store.save(LINK, "One");
    const [record] = await kept.all("gateways");
    await kept.put("gateways", { ...(record as object), url: "http://evil" });
    await expect(store.load("http://evil")).rejects.toMatchObject({ code: "credentials_lost" });
    await kept.clear("keys");
    await expect(store.load(LINK.url)).rejects.toMatchObject({ code: "credentials_lost" });
  });

  it("go no further than the window where the browser cannot encrypt", async () => {
    const kept = await database();
    const window = session();
    const store = new CredentialStore({ database: kept, subtle: undefined, session: window });
    expect(store.canKeep).toBe(false);
    expect(await store.save(LINK, "Home")).toMatchObject({ isKept: false });
    expect(await kept.all("gateways")).toEqual([]);
    expect(await store.load(LINK.url)).toEqual(LINK);
    expect(await store.list()).toMatchObject([{ name: "Home", isKept: false }]);
    await store.forget(LINK.url);
    expect(window.length).toBe(0);
  });

  it("get one key, also if two pages need it at once", async () => {
    const kept = await database();
    const stores = [1, 2].map(() => new CredentialStore({ database: kept, subtle }));
    await Promise.all(stores.map((store, at) => store.save({ ...LINK, url: `http://h:${at}` }, "x")));
    expect(await stores[0]?.load("http://h:1")).toMatchObject({ token: LINK.token });
    expect(await stores[1]?.load("http://h:0")).toMatchObject({ token: LINK.token });
  });
});

describe("messages that wait", () => {
  it("belong to their page as long as it is open, and then to one other", async () => {
    const kept = new KeptMessages(await database());
    const one = joinTabs(undefined);
    const [two, three] = [joinTabs(undefined), joinTabs(undefined)];
    for (const id of ["a", "b"]) {
      await kept.add({ id, text: id, gateway: "g", chat: "c", createdAt: 1, owner: one.name });
    }
    expect(await kept.adopt("g", "c", two.name, await two.open())).toEqual([]);
    let heard = 0;
    two.departures.add(() => heard++);
    one.close();
    await when(() => heard > 0, "the departure");
    const adopted = await Promise.all(
      [two, three].map(async (tab) => kept.adopt("g", "c", tab.name, await tab.open())),
    );
    expect(adopted.flat().map(({ id }) => id)).toEqual(["a", "b"]);
    expect(await kept.chats("g")).toEqual(new Set(["c"]));
    await kept.forget("g");
    expect(await kept.chats("g")).toEqual(new Set());
    two.close();
    three.close();
  });
});

describe("drafts", () => {
  it("outlast a reload, until they are emptied", async () => {
    const factory = new IDBFactory();
    const before = new Drafts(await database(factory));
    before.write("g", "c", "half a sen");
    await before.keep();
    const after = new Drafts(await database(factory));
    await when(() => after.of("g", "c").value === "half a sen", "the draft");
    expect(after.of("g", "other").value).toBe("");
    after.write("g", "c", "");
    await after.keep();
    const last = new Drafts(await database(factory));
    last.of("g", "c");
    await last.keep();
    expect(last.of("g", "c").value).toBe("");
  });
});
