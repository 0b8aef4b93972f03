/** How long opening frames takes: 2,000 small ones, which may come in one second, and large ones. */

import { createServer } from "vite";

const server = await createServer({ server: { middlewareMode: true, watch: null, ws: false }, appType: "custom" });
const { Encryption, NONCE_BYTES, sealFrame } = await server.ssrLoadModule("/src/protocol/crypto.ts");
const { openEvent } = await server.ssrLoadModule("/src/protocol/frames.ts");

const key = new Uint8Array(32).fill(7);

function measure(name, characters, count) {
  const text = new TextEncoder().encode(
    JSON.stringify({ type: "text_delta", data: "x".repeat(characters), turn_id: "t".repeat(32), cursor: "e:1" }),
  );
  const frames = Array.from({ length: count }, (_, at) => {
    const nonce = new Uint8Array(NONCE_BYTES);
    new DataView(nonce.buffer).setBigUint64(16, BigInt(at));
    return sealFrame(key, nonce, text);
  });
  for (let round = 0; round < 3; round++) {
    const encryption = new Encryption(key);
    const began = performance.now();
    for (const frame of frames) openEvent(encryption, frame);
    const ms = performance.now() - began;
    if (round === 2)
      console.log(`${name}: ${((ms / count) * 1000).toFixed(1)} us a frame, ${ms.toFixed(0)} ms for ${count}`);
  }
}

measure("deltas of 40 characters", 40, 2000);
measure("deltas of 16 KiB", 16 * 1024, 200);
await server.close();
