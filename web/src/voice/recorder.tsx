/**
 * Speaking in place of typing: what is said is recorded, sent to the gateway and written down there, and then stands in the composer to be
 * read before it is sent. If it cannot be written down, the recording is there still.
 */

import { Check, Paperclip, RotateCw, X } from "lucide";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../app/announcer.tsx";
import { sentenceOf } from "../app/toasts.tsx";
import { PrivateWay } from "../files/private-way.tsx";
import { GatewayError } from "../gateway/errors.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { t } from "../i18n/language.ts";
import { Button, IconButton } from "../ui/button.tsx";
import { clock, withLevel } from "./levels.ts";
import { NoMicrophone, record, type MicrophoneTrouble, type Recording } from "./recording.ts";
import styles from "./recorder.module.css";

/** The longest that is recorded in one go. */
const MOST_S = 10 * 60;
/** Who holds the button that long lets go of it to end. */
const HOLD_MS = 400;
const BARS = 64;

interface RecorderGiven {
  readonly gateway: Gateway;
  readonly onText: (text: string) => void;
  /** The recording is to be sent as it is. */
  readonly onFile: (file: File) => void;
  readonly onClose: () => void;
}

type Phase =
  | { readonly name: "starting" }
  | { readonly name: "recording"; readonly recording: Recording; readonly began: number }
  | { readonly name: "writing"; readonly file: File; readonly share: number }
  | { readonly name: "failed"; readonly file: File; readonly error: GatewayError }
  | { readonly name: "silent"; readonly trouble: MicrophoneTrouble };

export function Recorder({ gateway, onText, onFile, onClose }: RecorderGiven): JSX.Element {
  const [phase, setPhase] = useState<Phase>({ name: "starting" });
  const ending = useRef<AbortController | null>(null);
  const isEnding = useRef(false);

  const write = async (file: File): Promise<void> => {
    const abort = new AbortController();
    ending.current = abort;
    const tell = (share: number): void => setPhase({ name: "writing", file, share });
    tell(0);
    try {
      const { path } = await gateway.http.upload(file, { signal: abort.signal, onProgress: tell });
      tell(1);
      const { text } = await gateway.api.transcribe(path, abort.signal);
      if (abort.signal.aborted) return;
      if (text.trim() === "") throw new GatewayError("transcription_failed", t("voice.nothingSaid"));
      announce(t("voice.written"));
      onText(text.trim());
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (!abort.signal.aborted) setPhase({ name: "failed", file, error });
    }
  };

  useEffect(() => {
    let current: Recording | null = null;
    let isOver = false;
    record().then(
      (recording) => {
        current = recording;
        if (isOver) recording.cancel();
        else setPhase({ name: "recording", recording, began: performance.now() });
      },
      (error: unknown) => {
        if (!(error instanceof NoMicrophone)) throw error;
        setPhase({ name: "silent", trouble: error.trouble });
      },
    );
    return () => {
      isOver = true;
      current?.cancel();
      ending.current?.abort();
    };
  }, []);

  const finish = ({ recording }: { readonly recording: Recording }): void => {
    if (isEnding.current) return; // it was pressed twice
    isEnding.current = true;
    void recording.stop().then(write);
  };
  switch (phase.name) {
    case "starting":
      return (
        <div class={styles["recorder"]} role="status">
          <IconButton icon={X} label={t("voice.cancel")} onClick={onClose} />
          <span class={styles["words"]}>{t("voice.starting")}</span>
        </div>
      );
    case "recording":
      return (
        <Listening began={phase.began} recording={phase.recording} onDone={() => finish(phase)} onCancel={onClose} />
      );
    case "writing":
      // To cancel is where it was, and never where one has just pressed, perhaps twice, to have it written down.
      return (
        <div class={styles["recorder"]} role="status">
          <IconButton icon={X} label={t("voice.cancel")} onClick={onClose} />
          <span class={styles["words"]}>
            {phase.share < 1 ? t("voice.sending", { percent: Math.round(phase.share * 100) }) : t("voice.writing")}
          </span>
        </div>
      );
    case "failed":
      return (
        <Trouble
          words={sentenceOf(phase.error)}
          isPrivate={phase.error.code !== "not_private"}
          onAllow={() => {
            gateway.http.allow();
            void write(phase.file);
          }}
          onAgain={() => void write(phase.file)}
          onKeep={() => {
            onFile(phase.file);
            onClose();
          }}
          onClose={onClose}
        />
      );
    case "silent":
      return (
        <div class={styles["recorder"]} role="alert">
          <span class={styles["words"]}>{t(`voice.${phase.trouble}`)}</span>
          <IconButton icon={X} label={t("shell.close")} onClick={onClose} />
        </div>
      );
  }
}

interface ListeningGiven {
  readonly began: number;
  readonly recording: Recording;
  readonly onDone: () => void;
  readonly onCancel: () => void;
}

function Listening({ began, recording, onDone, onCancel }: ListeningGiven): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const done = useRef<HTMLButtonElement>(null);
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    announce(t("voice.recording"));
    done.current?.focus();
    let levels: readonly number[] = [];
    const timer = setInterval(() => {
      const passed = (performance.now() - began) / 1000;
      setSeconds(passed);
      levels = withLevel(levels, recording.level(), BARS);
      draw(canvas.current, levels);
      if (passed >= MOST_S) onDone();
    }, 60);
    const letGo = (): void => {
      if (performance.now() - began > HOLD_MS) onDone();
    };
    window.addEventListener("pointerup", letGo, { once: true });
    return () => {
      clearInterval(timer);
      window.removeEventListener("pointerup", letGo);
    };
  }, [began, recording]);
  return (
    <div
      class={styles["recorder"]}
      role="group"
      aria-label={t("voice.recording")}
      onKeyDown={(event) => {
        if (event.key === "Escape") onCancel();
      }}
    >
      <IconButton icon={X} label={t("voice.cancel")} onClick={onCancel} />
      <span class={styles["light"]} aria-hidden="true" />
      <time class={styles["time"]}>{clock(seconds)}</time>
      <canvas ref={canvas} class={styles["wave"]} width={BARS * 6} height={48} aria-hidden="true" />
      <IconButton icon={Check} tone="primary" label={t("voice.done")} buttonRef={done} onClick={onDone} />
    </div>
  );
}

function draw(canvas: HTMLCanvasElement | null, levels: readonly number[]): void {
  const brush = canvas?.getContext("2d");
  if (canvas == null || brush == null) return;
  const { width, height } = canvas;
  brush.clearRect(0, 0, width, height);
  brush.fillStyle = getComputedStyle(canvas).color;
  for (const [place, level] of levels.entries()) {
    const tall = Math.max(3, level * height);
    brush.beginPath();
    brush.roundRect(width - (levels.length - place) * 6, (height - tall) / 2, 3, tall, 2);
    brush.fill();
  }
}

interface TroubleGiven {
  readonly words: string;
  readonly isPrivate: boolean;
  readonly onAllow: () => void;
  readonly onAgain: () => void;
  readonly onKeep: () => void;
  readonly onClose: () => void;
}

function Trouble({ words, isPrivate, onAllow, onAgain, onKeep, onClose }: TroubleGiven): JSX.Element {
  return (
    <div class={styles["trouble"]}>
      {isPrivate ? <p role="alert">{words}</p> : <PrivateWay onAllow={onAllow} />}
      <div class={styles["actions"]}>
        <Button icon={RotateCw} onClick={onAgain}>
          {t("voice.again")}
        </Button>
        <Button icon={Paperclip} onClick={onKeep}>
          {t("voice.keep")}
        </Button>
        <Button tone="quiet" icon={X} onClick={onClose}>
          {t("voice.discard")}
        </Button>
      </div>
    </div>
  );
}
