import { signal } from "@preact/signals";
import { expect, it } from "vitest";
import { RecentChats } from "../../src/conversation/recent-chats.ts";
import type { OpenChat } from "../../src/state/gateway.ts";

function gateway(): { recent: RecentChats; open: Set<string>; phases: Map<string, { value: string }> } {
  const open = new Set<string>();
  const phases = new Map<string, { value: string }>();
  const recent = new RecentChats({
    openChat: (numbers) => {
      const name = String(numbers?.chatId ?? "home");
      const phase = signal("ready");
      open.add(name);
      phases.set(name, phase);
      return { transcript: { phase }, close: () => void open.delete(name) } as unknown as OpenChat;
    },
  });
  return { recent, open, phases };
}

const look = (recent: RecentChats, id: number): void => {
  recent.view(String(id), { chatId: id, channelId: null });
  recent.leave(String(id));
};

it("keeps the last few chats open and closes the others, the oldest first", () => {
  const { recent, open } = gateway();
  for (const id of [1, 2, 3]) look(recent, id);
  expect([...open]).toEqual(["1", "2", "3"]);
  look(recent, 1);
  look(recent, 4);
  expect(new Set(open)).toEqual(new Set(["1", "3", "4"]));
  expect(recent.has("2")).toBe(false);
});

it("gives back the same chat with its memory, and does not close what is looked at", () => {
  const { recent, open } = gateway();
  const first = recent.view("1", { chatId: 1, channelId: null });
  first.memory.fold("x").value = true;
  for (const id of [2, 3, 4, 5]) look(recent, id);
  expect(open.has("1")).toBe(true);
  recent.leave("1");
  expect(recent.view("1", null).memory.fold("x").value).toBe(true);
});

it("does not keep a chat that was deleted", () => {
  const { recent, open, phases } = gateway();
  recent.view("1", { chatId: 1, channelId: null });
  const phase = phases.get("1");
  if (phase !== undefined) phase.value = "deleted";
  recent.leave("1");
  expect(open.size).toBe(0);
});
