import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compress } from "./compress.ts";
import { serviceWorker } from "./service-worker.ts";

/** What the page's parts from others are licensed under, for people to read. */
const LICENCES = "licences.txt";

/** The page is of the gateway's version: they are one project, and come in one package. */
const INIT = join(import.meta.dirname, "../sygen_bot/__init__.py");
const version = /^__version__ = "(.+)"$/m.exec(readFileSync(INIT, "utf8"))?.[1];
if (version === undefined) throw new Error("sygen_bot/__init__.py has no version");

export default defineConfig({
  base: "./",
  plugins: [
    serviceWorker({ also: ["old-browser.js", "icon.svg", "manifest.webmanifest"], except: [LICENCES] }),
    compress(),
  ],
  define: { PAGE_VERSION: JSON.stringify(version) },
  resolve: { alias: { entities: fileURLToPath(new URL("./src/markdown/entities.ts", import.meta.url)) } },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../sygen_bot/web",
    emptyOutDir: true,
    target: "es2022",
    cssTarget: ["chrome123", "firefox125", "safari17.5"], // as public/old-browser.js asks for; older ones would get light-dark() rewritten
    assetsDir: "assets",
    assetsInlineLimit: 0, // a data: address would need an exception in the page's policy
    modulePreload: { polyfill: false },
    sourcemap: false,
    license: { fileName: LICENCES },
  },
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "node",
    testTimeout: 20_000,
    fileParallelism: false,
  },
});
