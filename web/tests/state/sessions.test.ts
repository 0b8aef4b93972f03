import { afterEach, describe, expect, it } from "vitest";
import type { Gateway } from "../../src/gateway/gateway.ts";
import { Listeners } from "../../src/gateway/listeners.ts";
import type { Session } from "../../src/gateway/shapes.ts";
import { Sessions } from "../../src/state/sessions.ts";

const PAGE = 200;

const chat = (number: number): Session =>
  ({ id: String(number), title: `Chat ${number}`, updatedAt: 1000 - number, archived: false }) as Session;

/** A gateway with the chats that `all` holds, newest first. */
function gatewayOf(all: Session[]): Gateway {
  return {
    home: { connection: { hellos: new Listeners(), hello: null } },
    notifications: { arrivals: new Listeners() },
    api: {
      sessions: {
        list: ({ before }: { before?: string }) => {
          const from = before === undefined ? 0 : all.findIndex(({ id }) => id === before) + 1;
          return Promise.resolve(all.slice(from, from + PAGE));
        },
        rename: (id: string, title: string) => Promise.resolve({ ...all.find((one) => one.id === id), title }),
      },
    },
  } as unknown as Gateway;
}

describe("the list of chats", () => {
  let open: Sessions | null = null;
  afterEach(() => open?.close());
  const sessionsOf = (all: Session[]): Sessions => (open = new Sessions(gatewayOf(all)));
  const ids = (sessions: Sessions): string[] => sessions.list.peek()?.map(({ id }) => id) ?? [];

  it("has a chat that was asked for by itself at its place, also when the list is read again", async () => {
    const all = Array.from({ length: 2.5 * PAGE }, (_, number) => chat(number));
    const sessions = sessionsOf(all);
    await sessions.load();
    sessions.know(chat(450));
    sessions.know(chat(450));
    expect(ids(sessions)).toHaveLength(PAGE + 1);
    expect(ids(sessions).at(-1)).toBe("450");
    await sessions.rename("450", "Far down");
    expect(sessions.list.peek()?.at(-1)?.title).toBe("Far down");
    await sessions.load();
    expect(ids(sessions).at(-1)).toBe("450");
    await sessions.loadMore(); // nothing in between is passed over
    await sessions.loadMore();
    expect(ids(sessions)).toEqual(all.map(({ id }) => id));
  });

  it("forgets one that the gateway does not have any more", async () => {
    const all = [chat(1), chat(2)];
    const sessions = sessionsOf(all);
    sessions.know(chat(0));
    expect(sessions.list.peek()).toBeNull(); // it is not known yet what else there is
    await sessions.load();
    expect(ids(sessions)).toEqual(["1", "2"]);
    sessions.know(chat(0)); // made elsewhere after that
    expect(ids(sessions)).toEqual(["0", "1", "2"]);
    all.unshift(chat(0));
    await sessions.load();
    expect(ids(sessions)).toEqual(["0", "1", "2"]);
    all.shift();
    await sessions.load();
    expect(ids(sessions)).toEqual(["1", "2"]);
  });
});
