/** A person's message with files: the gateway's words about each file, as it gave them when it took the file, before their own. */

export interface IncomingFile {
  readonly name: string;
  /** In the agent's workspace, or absolute. */
  readonly path: string;
  readonly mime: string;
  readonly caption: string;
  /** The gateway's words, as they are. */
  readonly prompt: string;
}

/** As in `incoming_file_prompt` of the gateway. */
const BLOCK =
  /^\[INCOMING FILE\][^\n]*\nName: ([^\n]*)\nPath: ([^\n]{1,4096})\nType: ([^\s]+)[^\n]*(?:\nCaption: ([^\n]*))?(?:\n\n|$)/;

/** One message of what the gateway said about the files, and what was typed. */
export const withIncoming = (prompts: readonly string[], text: string): string =>
  [...prompts, text.trim()].filter((part) => part !== "").join("\n\n");

/** The files at the beginning of a message, and the person's own words. */
export function splitIncoming(message: string): { readonly files: readonly IncomingFile[]; readonly text: string } {
  const files: IncomingFile[] = [];
  let text = message;
  for (let found = BLOCK.exec(text); found !== null; found = BLOCK.exec(text)) {
    const [whole, name = "", path = "", mime = "", caption = ""] = found;
    files.push({ name, path, mime, caption, prompt: whole.trimEnd() });
    text = text.slice(whole.length);
  }
  return { files, text };
}
