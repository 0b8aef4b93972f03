import { expect, it } from "vitest";
import { Answerers } from "../../src/conversation/answerers.ts";
import type { Api } from "../../src/gateway/api.ts";
import { GatewayError } from "../../src/gateway/errors.ts";
import type { Agent, Provider } from "../../src/gateway/shapes.ts";

const provider = (id: string, ...models: string[]): Provider => ({
  ...{ id, name: id.toUpperCase(), color: "#123456", models, available: true, reason: null, remedy: null },
});
const main: Agent = { name: "main", title: "Main", provider: "claude", model: "opus", hasAvatar: false };

async function answerers(agents: readonly Agent[] = [main]): Promise<Answerers> {
  const api = {
    providers: () => Promise.resolve([provider("claude", "sonnet", "opus"), provider("codex", "gpt")]),
    agents: () => Promise.resolve(agents),
  };
  const made = new Answerers({ api: api as unknown as Api });
  await made.load();
  return made;
}

const who = async (id: string | null, model: string | null): Promise<unknown> => {
  const found = (await answerers()).of({ agent: "main", provider: id, model });
  return [found.provider?.name ?? null, found.model, found.isDefault];
};

it("tells who answers: the agent's, where nothing was chosen", async () => {
  expect(await who(null, null)).toEqual(["CLAUDE", "opus", true]);
});

it("tells the provider's usual model, where only the provider was chosen", async () => {
  expect(await who("codex", null)).toEqual(["CODEX", "gpt", false]);
  expect(await who("codex", "other")).toEqual(["CODEX", "other", false]);
});

it("does not make somebody up", async () => {
  expect(await who("gone", null)).toEqual([null, null, false]);
  const nobody = (await answerers([])).of({ agent: "main", provider: null, model: null });
  expect(nobody).toEqual({ provider: null, model: null, isDefault: true });
});

it("calls an agent by its title, or else its name", async () => {
  const made = await answerers();
  expect([made.titleOf("main"), made.titleOf("other")]).toEqual(["Main", "other"]);
});

it("keeps what went wrong, for screens to tell", async () => {
  const failing = (): Promise<never> => Promise.reject(new GatewayError("timed_out"));
  const made = new Answerers({ api: { providers: failing, agents: failing } as unknown as Api });
  await made.load();
  expect(made.trouble.value?.code).toBe("timed_out");
});
