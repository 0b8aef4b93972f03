/** How a webhook is called from a terminal. */

import type { Webhook } from "../gateway/shapes.ts";

/** What its sender might send; `{}` of a kind that this version does not know. */
export function sampleOf(auth: string): string {
  const samples: Readonly<Record<string, object>> = {
    bearer: { event: "test", text: "This is a sample." },
    github: { zen: "Keep it logically awesome.", action: "test", repository: { full_name: "octocat/sample" } },
    stripe: { object: "event", type: "test.sample", data: { object: {} } },
  };
  return JSON.stringify(samples[auth] ?? {}, null, 2);
}

/** Null where the sender has to sign what it sends, which no single line does. */
export function curlOf({ auth }: Pick<Webhook, "auth">, address: string, secret: string): string | null {
  if (auth !== "bearer") return null;
  return [
    `curl ${quoted(address)}`,
    `  -H ${quoted(`Authorization: Bearer ${secret}`)}`,
    `  -H 'Content-Type: application/json'`,
    `  -H 'X-Delivery-Id: 1'`,
    `  -d '{"event": "test", "text": "hello"}'`,
  ].join(" \\\n");
}

/** For a shell: between single quotes nothing means anything but they themselves. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
