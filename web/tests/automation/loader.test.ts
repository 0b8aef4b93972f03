import { describe, expect, it } from "vitest";
import { Loader } from "../../src/automation/loader.ts";
import { GatewayError } from "../../src/gateway/errors.ts";

interface Attempt {
  readonly resolve: (value: string) => void;
  readonly reject: (error: Error) => void;
}

function loading(): { loader: Loader<string>; attempts: Attempt[] } {
  const attempts: Attempt[] = [];
  const read = (): Promise<string> => new Promise((resolve, reject) => void attempts.push({ resolve, reject }));
  return { loader: new Loader(read), attempts };
}

describe("what is read from the gateway", () => {
  it("is what the newest attempt says, whichever answers last", async () => {
    const { loader, attempts } = loading();
    const both = [loader.load(), loader.load()];
    attempts[1]?.resolve("new");
    attempts[0]?.resolve("old");
    await Promise.all(both);
    expect(loader.value.value).toBe("new");
  });

  it("stays when it cannot be read again, and says why", async () => {
    const { loader, attempts } = loading();
    const first = loader.load();
    attempts[0]?.resolve("read");
    await first;
    const second = loader.load();
    attempts[1]?.reject(new GatewayError("connection_lost"));
    await second;
    expect([loader.value.value, loader.trouble.value?.code]).toEqual(["read", "connection_lost"]);
    const third = loader.load();
    attempts[2]?.resolve("read again");
    await third;
    expect([loader.value.value, loader.trouble.value]).toEqual(["read again", null]);
  });

  it("is not overtaken by what was asked before a change", async () => {
    const { loader, attempts } = loading();
    const asked = loader.load();
    loader.set("changed");
    attempts[0]?.resolve("before");
    await asked;
    expect(loader.value.value).toBe("changed");
  });

  it("does not take a bug for a refusal", async () => {
    const { loader, attempts } = loading();
    const asked = loader.load();
    attempts[0]?.reject(new TypeError("a bug"));
    await expect(asked).rejects.toThrow(TypeError);
  });
});
