/** Builds the page's service worker into `sw.js`, with the list of all files of the page in it. */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Plugin } from "vite";

const ENTRY = "src/service-worker/sw.ts";
const PAGE = "index.html";

/** `also`: what the page needs of the directory that is copied as it is. `except`: what it does not need to open. */
export function serviceWorker({
  also,
  except,
}: {
  readonly also: readonly string[];
  readonly except: readonly string[];
}): Plugin {
  let root = "";
  let publicDirectory = "";
  return {
    name: "service-worker",
    apply: "build",
    configResolved(config) {
      root = config.root;
      publicDirectory = config.publicDir;
    },
    generateBundle: {
      order: "post",
      async handler(_options, bundle) {
        const built = Object.values(bundle)
          .filter(({ fileName }) => !except.includes(fileName))
          .map((file) => ({ name: file.fileName, content: file.type === "chunk" ? file.code : file.source }));
        const copied = also.map(async (name) => ({ name, content: await readFile(join(publicDirectory, name)) }));
        const files = [...built, ...(await Promise.all(copied))].sort((one, other) => (one.name < other.name ? -1 : 1));
        const entry = Object.values(bundle).find((file) => file.type === "chunk" && file.isEntry)?.fileName;
        if (entry === undefined) throw new Error("the page begins with no script");
        const version = createHash("sha256");
        for (const { name, content } of files) version.update(`${name}\0`).update(content).update("\0");
        const shell = {
          version: version.digest("hex").slice(0, 16),
          files: files.map(({ name }) => name).filter((name) => name !== PAGE), // it is kept as the root
          entry,
        };
        this.emitFile({ type: "asset", fileName: "sw.js", source: await bundled(root, shell) });
      },
    },
  };
}

/** In one piece: a worker of the classic kind, which every browser has, imports nothing. */
async function bundled(root: string, shell: object): Promise<string> {
  const built = await build({
    ...{ root, configFile: false, publicDir: false, logLevel: "warn" },
    define: { SHELL: JSON.stringify(shell) },
    build: {
      ...{ write: false, target: "es2022", modulePreload: false },
      rolldownOptions: { input: join(root, ENTRY), output: { format: "iife" } },
    },
  });
  const [chunk] = "output" in built ? built.output : [];
  if (chunk === undefined) throw new Error("the service worker was not built");
  return chunk.code;
}
