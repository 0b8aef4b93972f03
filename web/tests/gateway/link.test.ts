import { describe, expect, it } from "vitest";
import { GatewayError } from "../../src/gateway/errors.ts";
import { isPrivate, parseLink, socketUrl, takeLink } from "../../src/gateway/link.ts";
import { encodeKey, newKeyPair } from "../../src/protocol/crypto.ts";

/** With the digits that a query would read otherwise. */
const KEY = "++//".repeat(10) + "+/8=";

describe("a link", () => {
  it.each([
    ["http://host:8741/#token=t", "http://host:8741", "ws://host:8741/ws"],
    ["https://host/#token=t", "https://host", "wss://host/ws"],
    ["ws://host:1/ws#token=t", "http://host:1", "ws://host:1/ws"],
    ["https://host/sub/path/#token=t", "https://host/sub/path", "wss://host/sub/path/ws"],
    ["http://[::1]:8741#token=t", "http://[::1]:8741", "ws://[::1]:8741/ws"],
  ])("%s leads to %s", (link, url, socket) => {
    expect(parseLink(link)).toEqual({ url, token: "t", serverKey: null });
    expect(socketUrl(url)).toBe(socket);
  });

  it("keeps what is in its fragment as it is", () => {
    expect(parseLink(`http://h/#token=a%26b+c&server=${KEY}`)).toMatchObject({ token: "a&b+c", serverKey: KEY });
    const key = encodeKey(newKeyPair().publicKey);
    expect(parseLink(`http://h/#server=${encodeURIComponent(key)}&token=t`).serverKey).toBe(key);
  });

  it.each(["", "host", "ftp://h/#token=t", "http://h/", "http://h/#server=x", "http://h/#token=t&server=short"])(
    "is refused: %s",
    (link) => {
      expect(() => parseLink(link)).toThrow(GatewayError);
    },
  );

  it("may have its token beside it", () => {
    expect(parseLink("http://h:1/", "t").token).toBe("t");
  });
});

describe("the page's own address", () => {
  function pageAt(href: string): { page: Pick<Window, "location" | "history">; shown: string[] } {
    const shown: string[] = [];
    const { hash } = new URL(href);
    const history = { replaceState: (_state: unknown, _title: string, to: string) => shown.push(to) };
    return { page: { location: { href, hash }, history } as unknown as Window, shown };
  }

  it("loses its secrets at once, whether they are good or not", () => {
    const good = pageAt("http://h:1/?x=1#token=t");
    expect(takeLink(good.page)).toMatchObject({ url: "http://h:1", token: "t" });
    expect(good.shown).toEqual(["http://h:1/?x=1"]);
    const bad = pageAt("http://h:1/#token=t&server=short");
    expect(() => takeLink(bad.page)).toThrow(GatewayError);
    expect(bad.shown).toEqual(["http://h:1/"]);
  });

  it("is left alone where there are none", () => {
    const { page, shown } = pageAt("http://h:1/#/chats/1");
    expect(takeLink(page)).toBeNull();
    expect(shown).toEqual([]);
  });
});

it("only TLS and this very machine are private", () => {
  for (const url of ["https://h", "http://localhost:1", "http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:1"]) {
    expect(isPrivate(url)).toBe(true);
  }
  for (const url of ["http://h", "http://192.168.0.1", "http://127.evil.test", "http://localhost.evil.test"]) {
    expect(isPrivate(url)).toBe(false);
  }
});
