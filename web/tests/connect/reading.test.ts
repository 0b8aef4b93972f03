import { describe, expect, it } from "vitest";
import { readTyped } from "../../src/connect/reading.ts";

const KEY = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";

const linkOf = (typed: string, token = ""): unknown => {
  const reading = readTyped(typed, token, "http:");
  return reading.kind === "link" ? reading.link : reading.kind;
};

describe("what is typed as the way to a gateway", () => {
  it("is its link, whatever terminals and mails have put around and into it", () => {
    const wanted = { url: "http://h:8741", token: "tok", serverKey: KEY };
    const link = `http://h:8741/#token=tok&server=${encodeURIComponent(KEY)}`;
    for (const typed of [link, ` <${link}>\n`, `"${link}"`, `\`${link}\``, link.replace("server", "ser\n  ver")]) {
      expect(linkOf(typed)).toEqual(wanted);
    }
  });

  it("is an address with the token beside it, and the identity key if there is one", () => {
    expect(linkOf("https://h")).toBe("address");
    expect(linkOf("https://h", "  ")).toBe("address");
    expect(linkOf("https://h", " tok ")).toEqual({ url: "https://h", token: "tok", serverKey: null });
    expect(linkOf("https://h/#token=", "tok")).toMatchObject({ token: "tok" });
    expect(linkOf(`https://h/#server=${encodeURIComponent(KEY)}`, "tok")).toMatchObject({
      token: "tok",
      serverKey: KEY,
    });
  });

  it("needs no scheme where it has the look of a machine", () => {
    expect(linkOf("192.168.1.4:8741", "t")).toMatchObject({ url: "http://192.168.1.4:8741" });
    expect(linkOf("localhost", "t")).toMatchObject({ url: "http://localhost" });
    expect(linkOf("[::1]:8741", "t")).toMatchObject({ url: "http://[::1]:8741" });
    expect(linkOf("box:8741/#token=t")).toMatchObject({ url: "http://box:8741", token: "t" });
    expect(readTyped("gateway.example", "t", "https:")).toMatchObject({ link: { url: "https://gateway.example" } });
  });

  it("is bad when it is anything else, with a token beside it, too", () => {
    for (const typed of [
      "",
      "hello",
      "ftp://h/#token=t",
      "javascript:alert(1)",
      "http://",
      "#token=t",
      "http://h:99999",
    ]) {
      expect([typed, linkOf(typed), linkOf(typed, "t")]).toEqual([typed, "bad", "bad"]);
    }
    expect(linkOf("http://h/#token=t&server=short")).toBe("bad");
  });
});
