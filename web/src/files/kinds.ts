/** What a file is, by its name: whether this page shows it, or only offers it. */

export type FileKind = "picture" | "audio" | "video" | "other";

/** SVG is no picture here: it is a document that can run things. */
const KINDS: Readonly<Record<string, FileKind>> = {
  ...{
    png: "picture",
    jpg: "picture",
    jpeg: "picture",
    gif: "picture",
    webp: "picture",
    avif: "picture",
    bmp: "picture",
  },
  ...{
    mp3: "audio",
    wav: "audio",
    ogg: "audio",
    oga: "audio",
    opus: "audio",
    m4a: "audio",
    flac: "audio",
    weba: "audio",
  },
  ...{ mp4: "video", webm: "video", mov: "video", m4v: "video", ogv: "video" },
};

export function kindOf(name: string): FileKind {
  const ending = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(KINDS, ending) ? (KINDS[ending] ?? "other") : "other";
}
