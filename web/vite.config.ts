import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { compress } from "./compress.ts";

export default defineConfig({
  base: "./",
  plugins: [compress()],
  resolve: { alias: { entities: fileURLToPath(new URL("./src/markdown/entities.ts", import.meta.url)) } },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../sygen_bot/web",
    emptyOutDir: true,
    target: "es2022",
    assetsDir: "assets",
    assetsInlineLimit: 0, // a data: address would need an exception in the page's policy
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "node",
    testTimeout: 20_000,
    fileParallelism: false,
  },
});
