import type { Translated } from "../catalogue.ts";
import type { sidebar as english } from "../en/sidebar.ts";

export const sidebar: Translated<typeof english> = {};
