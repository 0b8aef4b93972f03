/**
 * The files of one version of the page, kept whole or not at all. Only what a build has listed is ever answered from here:
 * never the API, files, uploads, sockets or hooks, and nothing that anybody said.
 */

const PREFIX = "sygen-shell-";

/** A file whose name tells its content never has to be asked for again. */
const HASHED = "assets/";

/** Windows of older versions may stay open for long, and load parts of their version that the gateway does not have any more. */
const OLDER_VERSIONS = 2;

const ANY_VARIANT = { ignoreVary: true } as const;

export interface ShellOptions {
  readonly caches: CacheStorage;
  readonly fetch: (request: Request) => Promise<Response>;
  /** Where the page is, with a slash at the end. */
  readonly root: string;
  readonly version: string;
  /** Relative to the root. */
  readonly files: readonly string[];
  /** The one of them that the page begins with. */
  readonly entry: string;
}

/** An answer, and what is to be done after it. */
export interface Answer {
  readonly response: Promise<Response>;
  readonly afterwards: Promise<unknown>;
}

export class Shell {
  readonly #caches: CacheStorage;
  readonly #fetch: (request: Request) => Promise<Response>;
  readonly #root: URL;
  readonly #name: string;
  readonly #files: ReadonlySet<string>;
  readonly #entry: string;

  constructor({ caches, fetch, root, version, files, entry }: ShellOptions) {
    this.#caches = caches;
    this.#fetch = fetch;
    this.#root = new URL(root);
    this.#name = PREFIX + version;
    this.#files = new Set(files.map((file) => new URL(file, root).href));
    this.#entry = entry;
  }

  /** Rejects if one of them cannot be had. */
  async keep(): Promise<void> {
    const isNew = !(await this.#caches.has(this.#name));
    try {
      const page = await this.#freshPage();
      const cache = await this.#open();
      await cache.addAll([...this.#files].map((url) => this.#request(url)));
      await cache.put(this.#root.href, page);
    } catch (error) {
      if (isNew) await this.#caches.delete(this.#name);
      throw error;
    }
  }

  async removeOlder(): Promise<void> {
    const older = await this.#others();
    await Promise.all(older.slice(0, -OLDER_VERSIONS).map((name) => this.#caches.delete(name)));
  }

  /** Null: the browser is to ask for it as if nobody were here. */
  answer(request: Request): Answer | null {
    const url = new URL(request.url);
    if (request.method !== "GET" || url.origin !== this.#root.origin) return null;
    if (request.mode === "navigate") return url.pathname === this.#root.pathname ? this.#page(request) : null;
    const isHashed = url.href.startsWith(this.#root.href + HASHED);
    if (!isHashed && !this.#files.has(url.href)) return null;
    return { response: isHashed ? this.#hashed(request) : this.#file(request), afterwards: Promise.resolve() };
  }

  /**
   * Rejects while the gateway's files are being replaced: the page of one version and the files of another would be kept for
   * good, and never start.
   */
  async #freshPage(): Promise<Response> {
    const page = await this.#fetch(this.#request(this.#root.href));
    if (!page.ok || !(await page.clone().text()).includes(this.#entry)) throw new TypeError("the page is another one");
    return page;
  }

  /** At once as it is kept, so that it opens also while the gateway is away. */
  #page(request: Request): Answer {
    const kept = this.#open().then((cache) => cache.match(this.#root.href, ANY_VARIANT));
    return {
      response: kept.then((found) => found?.clone() ?? this.#fetch(request)),
      afterwards: kept.then((found) => (found === undefined ? undefined : this.#renewHeaders(found.clone()))),
    };
  }

  /**
   * The page's headers come from the gateway's settings, such as which other gateways it may talk to: they can change while
   * the page stays the same. A page that is another one comes with its own worker.
   */
  async #renewHeaders(kept: Response): Promise<void> {
    try {
      const fresh = await this.#fetch(this.#request(this.#root.href));
      const [now, before] = await Promise.all([fresh.clone().text(), kept.text()]);
      if (fresh.ok && now === before) await (await this.#open()).put(this.#root.href, fresh);
    } catch {
      return; // the gateway is away, or the storage is full: the page stays as it is kept
    }
  }

  async #file(request: Request): Promise<Response> {
    return (await (await this.#open()).match(request, ANY_VARIANT)) ?? this.#fetch(request);
  }

  /** Of whichever version: the window that asks may be an older one. */
  async #hashed(request: Request): Promise<Response> {
    for (const name of [this.#name, ...(await this.#others())]) {
      const found = await (await this.#caches.open(name)).match(request, ANY_VARIANT);
      if (found !== undefined) return found;
    }
    return this.#fetch(request);
  }

  #request(url: string): Request {
    return new Request(url, { cache: url.startsWith(this.#root.href + HASHED) ? "default" : "reload" });
  }

  /** What is kept of other versions, the oldest first. */
  async #others(): Promise<string[]> {
    return (await this.#caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== this.#name);
  }

  #open(): Promise<Cache> {
    return this.#caches.open(this.#name);
  }
}
