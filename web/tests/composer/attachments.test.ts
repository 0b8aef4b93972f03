import { describe, expect, it } from "vitest";
import { Attachments } from "../../src/composer/attachments.ts";
import { GatewayError } from "../../src/gateway/errors.ts";
import type { UploadOptions } from "../../src/gateway/http.ts";
import type { Upload } from "../../src/gateway/shapes.ts";

/** A gateway that takes files when the test says so. */
class Taker {
  readonly waiting: { file: File; options: UploadOptions; take: () => void; refuse: (error: GatewayError) => void }[] =
    [];

  upload(file: Blob & { readonly name?: string }, options: UploadOptions = {}): Promise<Upload> {
    return new Promise((resolve, reject: (error: GatewayError) => void) => {
      const take = (): void => {
        const name = file.name ?? "";
        resolve({ path: `/w/${name}`, name, mime: "text/plain", size: file.size, prompt: `[INCOMING FILE] ${name}` });
      };
      options.signal?.addEventListener("abort", () => reject(new GatewayError("cancelled")));
      this.waiting.push({ file: file as File, options, take, refuse: reject });
    });
  }
}

const file = (name: string): File => new File(["text"], name);

describe("files of a message", () => {
  it("are awaited, with their progress, and give the gateway's words in their order", async () => {
    const taker = new Taker();
    const attachments = new Attachments(taker);
    attachments.add([file("a"), file("b")]);
    const settled = attachments.settled();
    taker.waiting[0]?.options.onProgress?.(0.5);
    expect(attachments.items.value.map(({ state, progress }) => [state, progress])).toEqual([
      ["uploading", 0.5],
      ["uploading", 0],
    ]);
    taker.waiting[1]?.take();
    taker.waiting[0]?.take();
    expect(await settled).toEqual(["[INCOMING FILE] a", "[INCOMING FILE] b"]);
  });

  it("that failed keep the message back, and are tried again or removed", async () => {
    const taker = new Taker();
    const attachments = new Attachments(taker);
    attachments.add([file("a")]);
    taker.waiting[0]?.refuse(new GatewayError("too_large"));
    expect(await attachments.settled()).toBeNull();
    const [item] = attachments.items.value;
    expect(item).toMatchObject({ state: "failed", error: { code: "too_large" } });
    attachments.retry(item?.id ?? 0);
    taker.waiting[1]?.take();
    expect(await attachments.settled()).toEqual(["[INCOMING FILE] a"]);
    attachments.remove(item?.id ?? 0);
    expect(await attachments.settled()).toEqual([]);
  });

  it("are cancelled when they are removed on their way", async () => {
    const taker = new Taker();
    const attachments = new Attachments(taker);
    attachments.add([file("a")]);
    attachments.remove(attachments.items.value[0]?.id ?? 0);
    expect(taker.waiting[0]?.options.signal?.aborted).toBe(true);
    expect(attachments.items.value).toEqual([]);
    expect(await attachments.settled()).toEqual([]);
  });

  it("of a message that is written anew are with the gateway already", async () => {
    const taker = new Taker();
    const attachments = new Attachments(taker);
    attachments.restore([{ name: "a", path: "a", mime: "x", caption: "", prompt: "[INCOMING FILE] old" }]);
    expect(await attachments.settled()).toEqual(["[INCOMING FILE] old"]);
    expect(taker.waiting).toEqual([]);
  });
});
