import { expect, it } from "vitest";
import { installHint } from "../../src/settings/install-hint.ts";

const MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)";

it.each([
  ["an iPhone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1", 5, "ios"],
  ["Firefox on an iPhone, which is Safari inside", "Mozilla/5.0 (iPhone) FxiOS/127.0 Safari/605.1.15", 5, "ios"],
  ["an iPad, which says that it is a Mac", `${MAC} Version/17.5 Safari/605.1.15`, 5, "ios"],
  ["Safari on a Mac", `${MAC} Version/17.5 Safari/605.1.15`, 0, "mac"],
  ["Chrome on a Mac", `${MAC} Chrome/126.0.0.0 Safari/537.36`, 0, "menu"],
  ["Firefox on a Mac", `${MAC} rv:127.0) Gecko/20100101 Firefox/127.0`, 0, "firefox"],
  ["Chrome on Linux", "Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0.0.0 Safari/537.36", 0, "menu"],
])("%s gets the way that it has", (_name, userAgent, maxTouchPoints, hint) => {
  expect(installHint({ userAgent, maxTouchPoints })).toBe(hint);
});
