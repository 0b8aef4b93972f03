/** The gateway's own sentences, put to the fields that they are about. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fieldOf } from "../../src/automation/form.ts";
import { CRON_HINTS, TASK_HINTS, WEBHOOK_HINTS } from "../../src/automation/hints.ts";
import { GatewayError } from "../../src/gateway/errors.ts";
import type { CronJobWanted, NewTask, WebhookWanted } from "../../src/gateway/shapes.ts";
import { Person } from "../integration/person.ts";
import { RealGateway } from "../integration/real-gateway.ts";

let gateway: RealGateway;
let person: Person;

beforeAll(async () => {
  gateway = await RealGateway.start();
  person = await Person.online(gateway.link);
});
afterAll(async () => {
  person.leave();
  await gateway.remove();
});

async function sentence(refused: Promise<unknown>): Promise<string> {
  try {
    await refused;
  } catch (error) {
    if (error instanceof GatewayError && error.code === "invalid" && error.detail !== null) return error.detail;
    throw error;
  }
  throw new Error("the gateway took it");
}

describe("a refused cron job", () => {
  const usual: CronJobWanted = { title: "T", schedule: "0 8 * * *", prompt: "P" };

  it.each<[string, Partial<CronJobWanted>]>([
    ["title", { title: "" }],
    ["prompt", { prompt: " " }],
    ["schedule", { schedule: "0 8 * *" }],
    ["schedule", { schedule: "61 8 * * *" }],
    ["schedule", { schedule: "0 25 * * *" }],
    ["schedule", { schedule: "0 8 40 * *" }],
    ["schedule", { schedule: "0 8 * FOO *" }],
    ["schedule", { schedule: "0 8 * * 9" }],
    ["schedule", { schedule: "0 8 30 2 *" }],
    ["timezone", { timezone: "Mars/Olympus" }],
    ["agent", { agent: "nobody" }],
    ["provider", { model: "x" }],
    ["provider", { provider: "two words" }],
    ["quietFrom", { quietFrom: "22:00" }],
    ["quietFrom", { quietFrom: "22:00", quietTo: "22:00" }],
    ["place", { channelId: 5 }],
  ])("says what is wrong at %s: %j", async (field, wrong) => {
    const said = await sentence(person.gateway.api.cron.create({ ...usual, ...wrong }));
    expect([said, fieldOf(said, [], CRON_HINTS)]).toEqual([said, field]);
  });
});

describe("a refused task", () => {
  it.each<[string, Partial<NewTask>]>([
    ["prompt", { prompt: "" }],
    ["title", { title: " " }],
    ["agent", { agent: "nobody" }],
    ["provider", { provider: "nobody" }],
  ])("says what is wrong at %s: %j", async (field, wrong) => {
    const said = await sentence(person.gateway.api.tasks.create({ prompt: "P", ...wrong }));
    expect([said, fieldOf(said, [], TASK_HINTS)]).toEqual([said, field]);
  });
});

describe("a refused webhook", () => {
  const usual: WebhookWanted = { title: "T", template: "{{ text }}" };

  it.each<[string, Partial<WebhookWanted>]>([
    ["title", { title: "" }],
    ["template", { template: " " }],
    ["template", { template: "{% for x in %}" }],
    ["template", { template: "{% include 'x' %}" }],
    ["agent", { agent: "nobody" }],
    ["provider", { provider: "nobody" }],
    ["place", { chatId: 5 }],
    ["secret", { secret: "short" }],
  ])("says what is wrong at %s: %j", async (field, wrong) => {
    const said = await sentence(person.gateway.api.webhooks.create({ ...usual, ...wrong }));
    expect([said, fieldOf(said, [], WEBHOOK_HINTS)]).toEqual([said, field]);
  });
});

describe("a sentence that begins with the field", () => {
  it("is put there, under our name for it", () => {
    expect(fieldOf("body.quiet_from: too long", ["title", "quietFrom"], [])).toBe("quietFrom");
    expect(fieldOf("body.other: too long", ["title"], [])).toBeNull();
    expect(fieldOf("Something else.", ["title"], CRON_HINTS)).toBeNull();
  });
});
