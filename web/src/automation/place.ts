/** The chat in which something is said, as a field of a form. */

/** Both null: none, and each run has a session of its own. */
export interface ChatPlace {
  readonly chatId: number | null;
  readonly channelId: number | null;
}

/** Empty for none. */
export const placeKey = ({ chatId, channelId }: ChatPlace): string =>
  chatId === null ? "" : `${chatId}:${channelId ?? ""}`;

export function placeOf(key: string): ChatPlace {
  const [chat = "", channel = ""] = key.split(":");
  return { chatId: chat === "" ? null : Number(chat), channelId: channel === "" ? null : Number(channel) };
}
