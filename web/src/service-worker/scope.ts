/** What is used of a worker's surroundings. TypeScript has the types of a worker only in place of the page's. */

export interface WorkerEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}

export interface FetchEvent extends WorkerEvent {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

export interface ClickEvent extends WorkerEvent {
  readonly notification: { readonly data: unknown; close(): void };
}

export interface SaidEvent extends WorkerEvent {
  readonly data: unknown;
}

/** A window at an address of the gateway. */
export interface PageWindow {
  readonly url: string;
  readonly visibilityState: DocumentVisibilityState;
  focus(): Promise<unknown>;
  postMessage(message: unknown): void;
}

export interface Windows {
  claim(): Promise<void>;
  matchAll(wanted: { readonly type: "window"; readonly includeUncontrolled: true }): Promise<readonly PageWindow[]>;
  openWindow(url: string): Promise<unknown>;
}

interface Events {
  readonly install: WorkerEvent;
  readonly activate: WorkerEvent;
  readonly fetch: FetchEvent;
  readonly message: SaidEvent;
  readonly notificationclick: ClickEvent;
}

export interface WorkerScope {
  readonly caches: CacheStorage;
  readonly clients: Windows;
  readonly registration: { readonly scope: string };
  fetch(request: Request): Promise<Response>;
  skipWaiting(): Promise<void>;
  addEventListener<Name extends keyof Events>(name: Name, listen: (event: Events[Name]) => void): void;
}
