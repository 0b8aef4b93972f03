import type { Translated } from "../catalogue.ts";
import type { conversation as english } from "../en/conversation.ts";

export const conversation: Translated<typeof english> = {};
