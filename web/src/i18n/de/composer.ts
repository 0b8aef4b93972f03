import type { Translated } from "../catalogue.ts";
import type { composer as english } from "../en/composer.ts";

export const composer: Translated<typeof english> = {};
