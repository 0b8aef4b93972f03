import type { Translated } from "../catalogue.ts";
import type { automation as english } from "../en/automation.ts";

export const automation: Translated<typeof english> = {};
