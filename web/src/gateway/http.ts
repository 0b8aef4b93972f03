/**
 * Files by HTTP, the one thing that does not go over the socket. On a way that is neither TLS nor this machine, others could read
 * the token and the file: there nothing is sent before a person has said that the way is private all the same, as in a tailnet.
 */

import { isFields } from "../protocol/json.ts";
import { ProtocolTrouble } from "../protocol/errors.ts";
import { GatewayError, knownCode } from "./errors.ts";
import { isPrivate, type GatewayLink } from "./link.ts";
import { uploadShape, type Upload } from "./shapes.ts";

export interface UploadOptions {
  readonly caption?: string;
  /** From 0 to 1. */
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

/** Where it is remembered that a person calls the way to a gateway private. */
export interface Permissions {
  has(url: string): boolean;
  add(url: string): void;
}

export class Http {
  readonly #link: GatewayLink;
  readonly #permissions: Permissions;

  constructor(link: GatewayLink, permissions: Permissions) {
    this.#link = link;
    this.#permissions = permissions;
  }

  get isAllowed(): boolean {
    return isPrivate(this.#link.url) || this.#permissions.has(this.#link.url);
  }

  /** The way to this gateway is private, says a person. */
  allow(): void {
    this.#permissions.add(this.#link.url);
  }

  /** An address of the gateway's, for the browser itself: what `api.fileLink` gives has no token in it. */
  address(path: string): string {
    return this.#link.url + path;
  }

  /** What is at `path`. Rejects with GatewayError. */
  async blob(path: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Blob> {
    this.#check();
    let response: Response;
    try {
      response = await fetch(this.address(path), {
        headers: { Authorization: `Bearer ${encodeToken(this.#link.token)}` },
        ...{ credentials: "omit", cache: "no-cache", referrerPolicy: "no-referrer", signal: signal ?? null },
      });
      if (response.ok) return await response.blob();
    } catch {
      throw new GatewayError(signal?.aborted === true ? "cancelled" : "connection_lost");
    }
    throw refusal(response.status, await response.text().catch(() => ""));
  }

  /** Put a file into the workspace of the agents. Rejects with GatewayError. */
  upload(file: Blob & { readonly name?: string }, options: UploadOptions = {}): Promise<Upload> {
    const { caption = "", onProgress, signal } = options;
    return new Promise((resolve, reject: (error: GatewayError) => void) => {
      this.#check();
      const form = new FormData();
      if (caption !== "") form.append("caption", caption);
      form.append("file", file, file.name ?? "file");
      const request = new XMLHttpRequest(); // fetch does not tell how much of a body is sent
      request.open("POST", this.address("/upload"));
      request.setRequestHeader("Authorization", `Bearer ${encodeToken(this.#link.token)}`);
      request.upload.onprogress = ({ loaded, total }) => onProgress?.(total === 0 ? 0 : loaded / total);
      request.onerror = () => reject(new GatewayError("connection_lost"));
      request.onabort = () => reject(new GatewayError("cancelled"));
      request.onload = () => {
        if (request.status < 200 || request.status > 299) {
          reject(refusal(request.status, request.responseText));
          return;
        }
        try {
          resolve(uploadShape(JSON.parse(request.responseText)));
        } catch (error) {
          reject(new GatewayError("invalid_answer", error instanceof ProtocolTrouble ? error.message : null));
        }
      };
      if (signal?.aborted === true) {
        reject(new GatewayError("cancelled"));
        return;
      }
      signal?.addEventListener("abort", () => request.abort(), { once: true });
      request.send(form);
    });
  }

  #check(): void {
    if (!this.isAllowed) throw new GatewayError("not_private");
  }
}

/** Headers are bytes: a token beyond Latin-1 goes as its UTF-8, one character a byte. */
function encodeToken(token: string): string {
  return String.fromCharCode(...new TextEncoder().encode(token));
}

/** An error of the gateway, from its one shape. */
function refusal(status: number, body: string): GatewayError {
  try {
    const fields: unknown = JSON.parse(body);
    if (isFields(fields)) {
      const { error, code } = fields;
      return new GatewayError(knownCode(code), typeof error === "string" ? error : null, status);
    }
  } catch {
    // from something between us and the gateway
  }
  return new GatewayError(status === 413 ? "too_large" : "internal_error", null, status);
}

const PREFIX = "sygen:private-way:";

/** Kept in this browser; one that refuses to keep anything asks again. */
export const browserPermissions: Permissions = {
  has(url) {
    try {
      return localStorage.getItem(PREFIX + url) !== null;
    } catch {
      return false;
    }
  },
  add(url) {
    try {
      localStorage.setItem(PREFIX + url, "yes");
    } catch {
      return;
    }
  },
};
