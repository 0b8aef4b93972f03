import { beforeEach, describe, expect, it } from "vitest";
import type { PageWindow, WorkerScope } from "../../src/service-worker/scope.ts";
import { work } from "../../src/service-worker/worker.ts";

const ROOT = "https://h/app/";
const ENTRY = "assets/index-1.js";
const FILES = [ENTRY, "old-browser.js"];
/** A page names the script that it begins with. */
const PAGE_1 = `page 1 ${ENTRY}`;

/** The browser's caches, as far as the worker uses them. */
class TestCaches {
  readonly kept = new Map<string, Map<string, Response>>();

  constructor(readonly network: (request: Request) => Promise<Response>) {}

  keys = (): Promise<string[]> => Promise.resolve([...this.kept.keys()]);
  has = (name: string): Promise<boolean> => Promise.resolve(this.kept.has(name));
  delete = (name: string): Promise<boolean> => Promise.resolve(this.kept.delete(name));
  open = (name: string): Promise<Pick<Cache, "addAll" | "match" | "put">> => {
    const responses = this.kept.get(name) ?? new Map<string, Response>();
    this.kept.set(name, responses);
    const urlOf = (request: RequestInfo | URL): string => (request instanceof Request ? request.url : String(request));
    return Promise.resolve({
      addAll: async (requests: Iterable<RequestInfo>) => {
        const all = await Promise.all(
          [...requests].map(async (one) => [one, await this.network(one as Request)] as const),
        );
        if (all.some(([, response]) => !response.ok)) throw new TypeError("not there");
        for (const [request, response] of all) responses.set(urlOf(request), response);
      },
      match: (request) => Promise.resolve(responses.get(urlOf(request))?.clone()),
      put: (request, response) => Promise.resolve(void responses.set(urlOf(request), response)),
    });
  };
}

/** A browser around the worker: the gateway behind it can be changed and be away. */
class TestBrowser {
  /** What the gateway has, by path; null while it is away. */
  gateway: Map<string, () => Response> | null;
  readonly asked: string[] = [];
  readonly caches = new TestCaches((request) => this.#network(request));
  windows: PageWindow[] = [];
  readonly opened: string[] = [];
  skipped = 0;
  claimed = 0;
  readonly #listeners = new Map<string, (event: never) => void>();

  constructor() {
    this.gateway = new Map([
      ["/app/", () => new Response(PAGE_1, { headers: { policy: "first" } })],
      ...FILES.map((file) => [`/app/${file}`, () => new Response(file)] as const),
      ["/app/api/status", () => new Response("status")],
    ]);
  }

  start(version = "1", files = FILES): void {
    const scope: WorkerScope = {
      caches: this.caches as unknown as CacheStorage,
      clients: {
        claim: () => {
          this.claimed++;
          return Promise.resolve();
        },
        matchAll: () => Promise.resolve(this.windows),
        openWindow: (url) => Promise.resolve(void this.opened.push(url)),
      },
      registration: { scope: ROOT },
      fetch: (request) => this.#network(request),
      skipWaiting: () => {
        this.skipped++;
        return Promise.resolve();
      },
      addEventListener: (name, listen) => void this.#listeners.set(name, listen),
    };
    work(scope, { version, files, entry: files[0] ?? "" });
  }

  /** The gateway is replaced by one with a newer page, whose worker is installed. */
  async upgrade(version: string): Promise<void> {
    const entry = `assets/index-${version}.js`;
    this.gateway = new Map([
      ["/app/", () => new Response(`page ${version} ${entry}`)],
      [`/app/${entry}`, () => new Response(entry)],
    ]);
    this.start(version, [entry]);
    await this.tell("install");
  }

  /** Resolves when all that the worker wants to do is done. */
  async tell(name: string, event: object = {}): Promise<void> {
    const works: Promise<unknown>[] = [];
    this.#listeners.get(name)?.({ waitUntil: (one: Promise<unknown>) => works.push(one), ...event } as never);
    await Promise.all(works);
  }

  /** What the worker answers; null where it lets the browser ask by itself. */
  async request(path: string, { mode = "cors", method = "GET" } = {}): Promise<string | null> {
    const answers: Promise<Response>[] = [];
    const url = new URL(path, ROOT).href;
    const request = Object.defineProperty(new Request(url, { method }), "mode", { value: mode });
    await this.tell("fetch", { request, respondWith: (given: Promise<Response>) => answers.push(given) });
    return (await (await answers[0])?.text()) ?? null;
  }

  async #network(request: Request): Promise<Response> {
    this.asked.push(`${new URL(request.url).pathname} ${request.cache}`);
    if (this.gateway === null) throw new TypeError("Failed to fetch");
    return Promise.resolve(this.gateway.get(new URL(request.url).pathname)?.() ?? new Response("", { status: 404 }));
  }
}

let browser: TestBrowser;

beforeEach(() => {
  browser = new TestBrowser();
  browser.start();
});

describe("the page", () => {
  it("opens while the gateway is away, with all of its files", async () => {
    await browser.tell("install");
    browser.gateway = null;
    expect(await browser.request("", { mode: "navigate" })).toBe(PAGE_1);
    for (const file of FILES) expect(await browser.request(file)).toBe(file);
  });

  it("is kept whole or not at all: anew, but for files that never change", async () => {
    await browser.tell("install");
    expect(browser.asked).toEqual(["/app/ reload", "/app/assets/index-1.js default", "/app/old-browser.js reload"]);
    browser.gateway?.delete("/app/old-browser.js");
    browser.start("2");
    await expect(browser.tell("install")).rejects.toThrow();
    expect([...browser.caches.kept.keys()]).toEqual(["sygen-shell-1"]);
  });

  it("is not kept while its files are being replaced, and what was kept of it stays", async () => {
    browser.gateway?.set("/app/", () => new Response("page 0 assets/index-0.js"));
    await expect(browser.tell("install")).rejects.toThrow();
    expect([...browser.caches.kept.keys()]).toEqual([]);
    browser.gateway?.set("/app/", () => new Response(PAGE_1, { status: 500 }));
    await expect(browser.tell("install")).rejects.toThrow();
    browser.gateway?.set("/app/", () => new Response(PAGE_1));
    await browser.tell("install");
    browser.gateway = null;
    await expect(browser.tell("install")).rejects.toThrow();
    expect(await browser.request("", { mode: "navigate" })).toBe(PAGE_1);
  });

  it("takes new headers from the gateway, as long as it is the same", async () => {
    await browser.tell("install");
    const policy = (): string | null | undefined =>
      browser.caches.kept.get("sygen-shell-1")?.get(ROOT)?.headers.get("policy");
    browser.gateway?.set("/app/", () => new Response(PAGE_1, { headers: { policy: "second" } }));
    expect(await browser.request("", { mode: "navigate" })).toBe(PAGE_1);
    expect(policy()).toBe("second");
    browser.gateway?.set("/app/", () => new Response("page 2", { headers: { policy: "third" } }));
    expect(await browser.request("", { mode: "navigate" })).toBe(PAGE_1);
    expect(policy()).toBe("second");
    browser.gateway?.set("/app/", () => new Response(PAGE_1, { status: 500, headers: { policy: "fourth" } }));
    await browser.request("", { mode: "navigate" });
    expect(policy()).toBe("second");
  });

  it("comes from the gateway where the browser has thrown the copy away", async () => {
    expect(await browser.request("", { mode: "navigate" })).toBe(PAGE_1);
    expect(await browser.request("old-browser.js")).toBe("old-browser.js");
  });
});

describe("what is not the page", () => {
  it.each([
    ["api/status", {}],
    ["api/status", { mode: "navigate" }],
    ["files?path=x", {}],
    ["upload", { method: "POST" }],
    ["ws", {}],
    ["hooks/1", { method: "POST" }],
    ["health", {}],
    ["docs", { mode: "navigate" }],
    ["assets/index-1.js", { method: "POST" }],
    ["../assets/index-1.js", {}],
    ["https://other/app/assets/index-1.js", {}],
    ["https://other/app/", { mode: "navigate" }],
  ])("is none of its business: %s %o", async (path, request) => {
    await browser.tell("install");
    browser.asked.length = 0;
    expect(await browser.request(path, request)).toBeNull();
    expect(browser.asked).toEqual([]);
  });
});

describe("a newer version", () => {
  it("waits until a person wants it", async () => {
    await browser.tell("install");
    await browser.upgrade("2");
    expect(browser.skipped).toBe(0);
    await browser.tell("message", { data: { type: "open" } });
    await browser.tell("message", { data: null });
    expect(browser.skipped).toBe(0);
    await browser.tell("message", { data: { type: "activate" } });
    expect(browser.skipped).toBe(1);
    await browser.tell("activate");
    expect(browser.claimed).toBe(1);
  });

  it("leaves windows of the one before all that they may load yet, and only that", async () => {
    await browser.tell("install");
    await browser.upgrade("2");
    await browser.tell("activate");
    expect(await browser.request("assets/index-2.js")).toBe("assets/index-2.js");
    expect(await browser.request("assets/index-1.js")).toBe("assets/index-1.js");
    expect(await browser.request("old-browser.js")).toBeNull();
    expect(await browser.request("", { mode: "navigate" })).toBe("page 2 assets/index-2.js");
  });

  it("asks the gateway for files that no version has, and does not keep them", async () => {
    await browser.tell("install");
    browser.gateway?.set("/app/assets/other.js", () => new Response("other"));
    expect(await browser.request("assets/other.js")).toBe("other");
    browser.gateway?.delete("/app/assets/other.js");
    expect(await browser.request("assets/other.js")).toBe("");
  });

  it("takes away what is older than two versions, and nothing of others", async () => {
    browser.caches.kept.set("somebody-elses", new Map());
    await browser.tell("install");
    for (const version of ["2", "3", "4"]) await browser.upgrade(version);
    expect(browser.caches.kept.size).toBe(5);
    await browser.tell("activate");
    const kept = ["somebody-elses", ...["2", "3", "4"].map((version) => `sygen-shell-${version}`)];
    expect([...browser.caches.kept.keys()]).toEqual(kept);
  });
});

describe("a press on a notification", () => {
  function windowOf(
    visibilityState: DocumentVisibilityState,
    url = `${ROOT}#/chat/z`,
  ): PageWindow & { readonly said: unknown[] } {
    const said: unknown[] = [];
    return {
      url,
      visibilityState,
      said,
      focus: () => Promise.resolve(said.push("focus")),
      postMessage: (one) => said.push(one),
    };
  }

  async function press(data: unknown): Promise<boolean> {
    let isClosed = false;
    await browser.tell("notificationclick", { notification: { data, close: () => (isClosed = true) } });
    return isClosed;
  }

  it("brings the window to the front that is in sight, at the place that it tells of", async () => {
    const [hidden, visible] = [windowOf("hidden"), windowOf("visible")];
    browser.windows = [hidden, visible];
    expect(await press({ hash: "#/chat/a" })).toBe(true);
    expect([hidden.said, visible.said]).toEqual([[], ["focus", { type: "open", hash: "#/chat/a" }]]);
    browser.windows = [hidden];
    await press({ hash: "#/notifications" });
    expect(hidden.said).toEqual(["focus", { type: "open", hash: "#/notifications" }]);
  });

  it("leaves windows alone that show something else of the gateway", async () => {
    const docs = windowOf("visible", `${ROOT}docs#/chat/z`);
    browser.windows = [docs];
    await press({ hash: "#/chat/a" });
    expect([docs.said, browser.opened]).toEqual([[], [`${ROOT}#/chat/a`]]);
  });

  it("opens a window where there is none, and never another place than one of the page's", async () => {
    for (const data of [{ hash: "#/chat/a" }, { hash: "https://evil" }, { hash: 1 }, null, "#/chat/b"])
      await press(data);
    expect(browser.opened).toEqual([`${ROOT}#/chat/a`, ...Array.from({ length: 4 }, () => `${ROOT}#/`)]);
  });
});
