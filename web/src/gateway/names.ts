/** Names for messages and requests, unique for good. `crypto.randomUUID` is only there on secure pages. */

import { randomBytes } from "../protocol/crypto.ts";

export const newName = (): string => Array.from(randomBytes(16), (byte) => byte.toString(16).padStart(2, "0")).join("");
