/** What people type or paste as the way to their gateway: its link, or an address and the token beside it. */

import { GatewayError } from "../gateway/errors.ts";
import { parseLink, type GatewayLink } from "../gateway/link.ts";

export type Reading =
  | { readonly kind: "link"; readonly link: GatewayLink }
  /** An address; what opens it is missing. */
  | { readonly kind: "address" }
  | { readonly kind: "bad" };

const SCHEME = /^[a-z][a-z\d+.-]*:\/\//i;
/** Without a scheme only what has the look of a machine: a dot or a colon in its name, or the name of this one. */
const MACHINE = /^(?:localhost\b|\[[\da-f:]+\]|[^\s/#]*[.:])/i;

/** `scheme`: of an address that names none, such as `http:`. */
export function readTyped(typed: string, token: string, scheme: string): Reading {
  const text = typed.replace(/\s+/g, "").replace(/^[<"'`]+|[>"'`]+$/g, ""); // terminals and mails break lines and put signs around
  const address = SCHEME.test(text) ? text : MACHINE.test(text) ? `${scheme}//${text}` : "";
  const hasToken = /[#&]token=[^&]/.test(address);
  try {
    if (hasToken) return { kind: "link", link: parseLink(address) };
    const link = parseLink(address, token.trim() === "" ? "missing" : token.trim());
    return token.trim() === "" ? { kind: "address" } : { kind: "link", link };
  } catch (error) {
    if (error instanceof GatewayError) return { kind: "bad" };
    throw error;
  }
}
