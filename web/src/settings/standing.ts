/** Where the page stands: what is protected and what is not, as findings with a sentence each in the catalogues. */

import { isPrivate } from "../gateway/link.ts";

export interface Facts {
  /** Where the page came from. */
  readonly page: string;
  /** The gateway that is open. */
  readonly gateway: {
    readonly url: string;
    readonly isIdentityKnown: boolean;
    readonly isTokenKept: boolean;
  } | null;
  /** Whether this browser has a database for the page. */
  readonly hasDatabase: boolean;
}

export type Tone = "good" | "note" | "warning";

export interface Finding {
  readonly topic: "page" | "words" | "identity" | "files" | "token" | "stored";
  /** `settings.standing.KEY` */
  readonly key:
    | "page.tls"
    | "page.machine"
    | "page.plain"
    | "words.sealed"
    | "identity.known"
    | "identity.private"
    | "identity.open"
    | "files.private"
    | "files.open"
    | "token.kept"
    | "token.window"
    | "stored.some"
    | "stored.little";
  readonly tone: Tone;
}

export function findings({ page, gateway, hasDatabase }: Facts): readonly Finding[] {
  const found: Finding[] = [
    new URL(page).protocol === "https:"
      ? { topic: "page", key: "page.tls", tone: "good" }
      : isPrivate(page)
        ? { topic: "page", key: "page.machine", tone: "good" }
        : { topic: "page", key: "page.plain", tone: "warning" },
    { topic: "words", key: "words.sealed", tone: "good" },
  ];
  if (gateway !== null) {
    const isWayPrivate = isPrivate(gateway.url);
    found.push(
      gateway.isIdentityKnown
        ? { topic: "identity", key: "identity.known", tone: "good" }
        : isWayPrivate
          ? { topic: "identity", key: "identity.private", tone: "note" }
          : { topic: "identity", key: "identity.open", tone: "warning" },
      isWayPrivate
        ? { topic: "files", key: "files.private", tone: "good" }
        : { topic: "files", key: "files.open", tone: "note" },
      gateway.isTokenKept
        ? { topic: "token", key: "token.kept", tone: "good" }
        : { topic: "token", key: "token.window", tone: "note" },
    );
  }
  found.push({ topic: "stored", key: hasDatabase ? "stored.some" : "stored.little", tone: "note" });
  return found;
}
