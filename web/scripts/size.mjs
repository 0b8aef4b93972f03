/** Builds the client in memory and prints what the first load costs, compressed. Fails over the bound. */

import { gzipSync } from "node:zlib";
import { build } from "vite";

const BOUND = 120_000;

const { output } = await build({ logLevel: "warn", build: { write: false } });
const chunks = new Map(output.filter((one) => one.type === "chunk").map((one) => [one.fileName, one]));
const first = new Set();

function need(name) {
  const chunk = chunks.get(name);
  if (chunk === undefined || first.has(name)) return;
  first.add(name);
  chunk.imports.forEach(need);
}
for (const chunk of chunks.values()) if (chunk.isEntry) need(chunk.fileName);

const gz = (content) => gzipSync(content, { level: 9 }).length;
let total = 0;
for (const file of output) {
  const size = gz(file.type === "chunk" ? file.code : file.source);
  if (first.has(file.fileName)) total += size;
  console.log(`${first.has(file.fileName) ? "first" : "later"} ${String(size).padStart(7)}  ${file.fileName}`);
}
console.log(`first load of script: ${total} bytes gz, at most ${BOUND}`);
if (total > BOUND) process.exit(1);
