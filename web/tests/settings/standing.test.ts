import { describe, expect, it } from "vitest";
import { de } from "../../src/i18n/de.ts";
import { en } from "../../src/i18n/en.ts";
import { findings, type Facts } from "../../src/settings/standing.ts";

const GATEWAY = { url: "https://h", isIdentityKnown: true, isTokenKept: true };

const keysOf = (facts: Partial<Facts>): string[] =>
  findings({ page: "https://h/#/settings/about", gateway: GATEWAY, hasDatabase: true, ...facts }).map(
    ({ key, tone }) => `${key} ${tone}`,
  );

describe("where the page stands", () => {
  it("is good over TLS with a gateway that proves who it is", () => {
    expect(keysOf({})).toEqual([
      "page.tls good",
      "words.sealed good",
      "identity.known good",
      "files.private good",
      "token.kept good",
      "stored.some note",
    ]);
  });

  it("warns where others on the way can change the page or read the token", () => {
    const gateway = { url: "http://h:8741", isIdentityKnown: false, isTokenKept: false };
    expect(keysOf({ page: "http://h:8741/", gateway })).toEqual([
      "page.plain warning",
      "words.sealed good",
      "identity.open warning",
      "files.open note",
      "token.window note",
      "stored.some note",
    ]);
  });

  it("judges the page and the gateway each by its own way", () => {
    const gateway = { ...GATEWAY, url: "http://other:8741" };
    const found = keysOf({ page: "http://127.0.0.1:8741/", gateway });
    expect(found).toContain("page.machine good");
    expect(found).toContain("files.open note");
    expect(keysOf({ gateway: { ...GATEWAY, isIdentityKnown: false } })).toContain("identity.private note");
  });

  it("says nothing about a gateway where none is open, and what is kept without a database", () => {
    expect(keysOf({ gateway: null, hasDatabase: false })).toEqual([
      "page.tls good",
      "words.sealed good",
      "stored.little note",
    ]);
  });

  it("has sentences for all of it", () => {
    const all = ["https://h", "http://h", "http://127.0.0.1"].flatMap((url) =>
      [true, false].flatMap((is) =>
        findings({ page: url, gateway: { url, isIdentityKnown: is, isTokenKept: is }, hasDatabase: is }),
      ),
    );
    for (const catalogue of [en, de]) {
      for (const { key, topic, tone } of all) {
        for (const end of [key, topic, tone]) expect(catalogue).toHaveProperty([`settings.standing.${end}`]);
      }
    }
  });
});
