import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { describe, expect, it } from "vitest";

const PUBLIC = join(import.meta.dirname, "../../public");
const SCRIPT = readFileSync(join(PUBLIC, "old-browser.js"), "utf8");

/** What a current browser has of it. */
function browser(): Record<string, unknown> {
  const nothing = (): void => undefined;
  const page: Record<string, unknown> = {
    ...{ WebSocket: nothing, BigInt, Intl, ResizeObserver: nothing, HTMLDialogElement: nothing },
    crypto: { getRandomValues: nothing },
    structuredClone: nothing,
    URL: { canParse: nothing },
    HTMLElement: { prototype: { popover: null } },
    CSS: { supports: () => true },
  };
  page["window"] = page;
  return page;
}

function isTooOld(page: Record<string, unknown>): boolean {
  const marks: string[] = [];
  const documentElement = { setAttribute: (name: string) => marks.push(name) };
  page["document"] = { documentElement, createElement: () => ({ noModule: false }) };
  runInContext(SCRIPT, createContext(page));
  return marks.includes("data-old-browser");
}

describe("a browser", () => {
  it("that has all that the page needs, is let in", () => {
    expect(isTooOld(browser())).toBe(false);
  });

  it.each(["WebSocket", "BigInt", "crypto", "structuredClone", "URL", "ResizeObserver", "HTMLDialogElement", "CSS"])(
    "without %s is told so",
    (name) => {
      const page = browser();
      page[name] = undefined;
      expect(isTooOld(page)).toBe(true);
    },
  );

  it("without the newest of the styles is told so", () => {
    expect(isTooOld({ ...browser(), CSS: { supports: (what: string) => what !== "color" } })).toBe(true);
    expect(isTooOld({ ...browser(), HTMLElement: { prototype: {} } })).toBe(true);
  });
});

it("can read the script, however old it is", () => {
  expect(SCRIPT).not.toMatch(/=>|\b(?:let|const|class|async)\b|`|\?\.|\?\?/);
});

it("shows the same mark on the device as on the page", () => {
  const logo = readFileSync(join(import.meta.dirname, "../../src/ui/logo.tsx"), "utf8");
  const [icon] = /d="([^"]+)"/.exec(readFileSync(join(PUBLIC, "icon.svg"), "utf8")) ?? [];
  expect(logo).toContain(icon);
});
