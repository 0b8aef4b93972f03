import type { Translated } from "../catalogue.ts";
import type { markdown as english } from "../en/markdown.ts";

export const markdown: Translated<typeof english> = {};
