import { beforeEach, describe, expect, it } from "vitest";
import type { PageWindow, WorkerScope } from "../../src/service-worker/scope.ts";
import { work } from "../../src/service-worker/worker.ts";

const ROOT = "https://h/app/";
const FILES = ["assets/index-1.js", "old-browser.js"];

/** The browser's caches, as far as the worker uses them. */
class TestCaches {
  readonly kept = new Map<string, Map<string, Response>>();

  constructor(readonly network: (request: Request) => Promise<Response>) {}

  keys = (): Promise<string[]> => Promise.resolve([...this.kept.keys()]);
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
      ["/app/", () => new Response("page 1", { headers: { policy: "first" } })],
      ...FILES.map((file) => [`/app/${file}`, () => new Response(file)] as const),
      ["/app/api/status", () => new Response("status")],
    ]);
  }

  start(version = "1"): void {
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
    work(scope, { version, files: FILES });
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
    expect(await browser.request("", { mode: "navigate" })).toBe("page 1");
    for (const file of FILES) expect(await browser.request(file)).toBe(file);
  });

  it("is kept whole or not at all: anew, but for files that never change", async () => {
    await browser.tell("install");
    expect(browser.asked).toEqual(["/app/ reload", "/app/assets/index-1.js default", "/app/old-browser.js reload"]);
    browser.gateway?.delete("/app/old-browser.js");
    browser.start("2");
    await expect(browser.tell("install")).rejects.toThrow();
    expect(browser.caches.kept.get("sygen-shell-2")?.size ?? 0).toBe(0);
  });

  it("takes new headers from the gateway, as long as it is the same", async () => {
    await browser.tell("install");
    const policy = (): string | null | undefined =>
      browser.caches.kept.get("sygen-shell-1")?.get(ROOT)?.headers.get("policy");
    browser.gateway?.set("/app/", () => new Response("page 1", { headers: { policy: "second" } }));
    expect(await browser.request("", { mode: "navigate" })).toBe("page 1");
    expect(policy()).toBe("second");
    browser.gateway?.set("/app/", () => new Response("page 2", { headers: { policy: "third" } }));
    expect(await browser.request("", { mode: "navigate" })).toBe("page 1");
    expect(policy()).toBe("second");
    browser.gateway?.set("/app/", () => new Response("page 1", { status: 500, headers: { policy: "fourth" } }));
    await browser.request("", { mode: "navigate" });
    expect(policy()).toBe("second");
  });

  it("comes from the gateway where the browser has thrown the copy away", async () => {
    expect(await browser.request("", { mode: "navigate" })).toBe("page 1");
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
    ["assets/unknown.js", {}],
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
  it("waits until a person wants it, and then the older one is gone", async () => {
    await browser.tell("install");
    browser.caches.kept.set("somebody-elses", new Map());
    browser.start("2");
    await browser.tell("install");
    expect(browser.skipped).toBe(0);
    await browser.tell("message", { data: { type: "open" } });
    await browser.tell("message", { data: null });
    expect(browser.skipped).toBe(0);
    await browser.tell("message", { data: { type: "activate" } });
    expect(browser.skipped).toBe(1);
    await browser.tell("activate");
    expect([...browser.caches.kept.keys()].sort()).toEqual(["somebody-elses", "sygen-shell-2"]);
    expect(browser.claimed).toBe(1);
  });
});

describe("a press on a notification", () => {
  function windowOf(visibilityState: DocumentVisibilityState): PageWindow & { readonly said: unknown[] } {
    const said: unknown[] = [];
    return {
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

  it("opens a window where there is none, and never another place than one of the page's", async () => {
    for (const data of [{ hash: "#/chat/a" }, { hash: "https://evil" }, { hash: 1 }, null, "#/chat/b"])
      await press(data);
    expect(browser.opened).toEqual([`${ROOT}#/chat/a`, ...Array.from({ length: 4 }, () => `${ROOT}#/`)]);
  });
});
