/** The microphone, as one recording. */

import { levelOf } from "./levels.ts";

export type MicrophoneTrouble = "refused" | "none" | "busy";

export class NoMicrophone extends Error {
  override readonly name = "NoMicrophone";

  constructor(readonly trouble: MicrophoneTrouble) {
    super(trouble);
  }
}

/** What browsers record in, the one that every engine reads first. */
const TYPES = [
  ["audio/webm;codecs=opus", "webm"],
  ["audio/mp4", "m4a"],
  ["audio/ogg;codecs=opus", "ogg"],
] as const;

export interface Recording {
  /** How loud it is now, from 0 to 1. */
  level(): number;
  /** End it; the file with what was said. */
  stop(): Promise<File>;
  /** End it, and forget what was said. */
  cancel(): void;
}

/** Rejects with NoMicrophone. */
export async function record(): Promise<Recording> {
  let stream: MediaStream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    throw new NoMicrophone(name === "NotAllowedError" ? "refused" : name === "NotFoundError" ? "none" : "busy");
  }
  const [type, ending] = TYPES.find(([one]) => MediaRecorder.isTypeSupported(one)) ?? ["", "webm"];
  const recorder = new MediaRecorder(stream, type === "" ? {} : { mimeType: type });
  const pieces: Blob[] = [];
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Uint8Array(analyser.fftSize);
  const letGo = (): void => {
    for (const track of stream.getTracks()) track.stop();
    if (context.state !== "closed") void context.close();
  };
  recorder.start(1000); // in pieces, so that little is lost if the page is
  return {
    level: () => {
      analyser.getByteTimeDomainData(samples);
      return levelOf(samples);
    },
    stop: () =>
      new Promise((resolve) => {
        recorder.onstop = () => {
          letGo();
          const moment = new Date().toISOString().slice(0, 19).replace(/[T:]/g, "-");
          resolve(new File(pieces, `voice-${moment}.${ending}`, { type: type.split(";")[0] ?? "" }));
        };
        recorder.stop();
      }),
    cancel: () => {
      recorder.onstop = null;
      if (recorder.state !== "inactive") recorder.stop();
      letGo();
    },
  };
}
