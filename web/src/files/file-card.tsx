/** A file of a message: what it is, a look at it where that is safe, and its download. Nothing of it runs in this page. */

import { Download, File as FileIcon, FileAudio, FileVideo, Image as ImageIcon } from "lucide";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { sentenceOf } from "../app/toasts.tsx";
import { GatewayError } from "../gateway/errors.ts";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { lazy } from "../ui/lazy.tsx";
import { kindOf, type FileKind } from "./kinds.ts";
import { PrivateWay } from "./private-way.tsx";
import styles from "./files.module.css";

const Lightbox = lazy(async () => (await import("./lightbox.tsx")).Lightbox);

const ICONS = { picture: ImageIcon, audio: FileAudio, video: FileVideo, other: FileIcon } as const;

/** `path`: absolute, or in the agents' workspace. */
interface Named {
  readonly path: string;
  readonly name: string;
  readonly isImage?: boolean;
}

export function FileCard({ file }: { file: Named }): JSX.Element {
  const { gateway } = useGateway();
  const kind = kindOf(file.name);
  const [error, setError] = useState<GatewayError | null>(null);
  const [attempt, setAttempt] = useState(0);
  const again = (): void => {
    setError(null);
    setAttempt(attempt + 1);
  };
  const download = (): void => {
    void save(gateway, file).catch((failure: unknown) => {
      if (!(failure instanceof GatewayError)) throw failure;
      setError(failure);
    });
  };
  return (
    <figure class={styles["card"]} data-kind={kind}>
      {error === null && <Look key={attempt} file={file} kind={kind} onError={setError} />}
      <figcaption class={styles["caption"]}>
        <Icon of={ICONS[kind]} />
        <span class={styles["name"]} title={file.path}>
          {file.name}
        </span>
        <Button tone="quiet" icon={Download} onClick={download} aria-label={t("files.downloadOf", { name: file.name })}>
          {t("files.download")}
        </Button>
      </figcaption>
      {error?.code === "not_private" && (
        <PrivateWay
          onAllow={() => {
            gateway.http.allow();
            again();
          }}
        />
      )}
      {error !== null && error.code !== "not_private" && (
        <p class={styles["error"]} role="alert">
          {error.code === "not_found" ? t("files.gone") : sentenceOf(error)}{" "}
          <Button tone="quiet" onClick={again}>
            {t("files.tryAgain")}
          </Button>
        </p>
      )}
    </figure>
  );
}

type Gateway = ReturnType<typeof useGateway>["gateway"];

/** By a link of ten minutes; the gateway sends whatever could run as an attachment, in a sandbox. */
async function save(gateway: Gateway, { path, name }: Named): Promise<void> {
  if (!gateway.http.isAllowed) throw new GatewayError("not_private");
  const { url } = await gateway.api.fileLink(path);
  const link = document.createElement("a");
  link.href = gateway.http.address(url);
  link.download = name;
  link.rel = "noreferrer";
  link.target = "_blank";
  document.body.append(link);
  link.click();
  link.remove();
}

interface LookGiven {
  readonly file: Named;
  readonly kind: FileKind;
  readonly onError: (error: GatewayError) => void;
}

function Look({ file, kind, onError }: LookGiven): JSX.Element | null {
  const { gateway } = useGateway();
  const address = useAddress(file, kind, onError);
  const [isLarge, setLarge] = useState(false);
  if (kind === "other") return null;
  if (address === null) return <div class={styles["placeholder"]} />;
  const failed = (): void => onError(new GatewayError(gateway.http.isAllowed ? "unsupported_media" : "not_private"));
  switch (kind) {
    case "audio":
      return (
        <audio
          class={styles["player"]}
          controls
          preload="metadata"
          src={address}
          aria-label={file.name}
          onError={failed}
        />
      );
    case "video":
      return (
        <video
          class={styles["picture"]}
          controls
          preload="metadata"
          src={address}
          aria-label={file.name}
          onError={failed}
        />
      );
    case "picture":
      return (
        <>
          <button type="button" class={styles["open"]} onClick={() => setLarge(true)}>
            <img
              class={styles["picture"]}
              src={address}
              alt={t("files.picture", { name: file.name })}
              onError={failed}
            />
          </button>
          {isLarge && <Lightbox address={address} name={file.name} onClose={() => setLarge(false)} />}
        </>
      );
  }
}

/** Where the browser finds it: pictures are fetched whole, sounds and films by parts as they play. */
function useAddress(file: Named, kind: FileKind, onError: (error: GatewayError) => void): string | null {
  const { gateway } = useGateway();
  const [address, setAddress] = useState<string | null>(null);
  useEffect(() => {
    const ending = new AbortController();
    let made: string | null = null;
    const find = async (): Promise<string | null> => {
      if (kind === "other") return null;
      if (kind !== "picture") {
        if (!gateway.http.isAllowed) throw new GatewayError("not_private");
        return gateway.http.address((await gateway.api.fileLink(file.path)).url);
      }
      const path = `/files?path=${encodeURIComponent(file.path)}`;
      const blob = await gateway.http.blob(path, { signal: ending.signal });
      if (!/^image\/(?:png|jpeg|gif|webp|avif|bmp)$/.test(blob.type)) throw new GatewayError("unsupported_media");
      return (made = URL.createObjectURL(blob));
    };
    find().then(
      (found) => {
        if (!ending.signal.aborted) setAddress(found);
      },
      (error: unknown) => {
        if (!(error instanceof GatewayError)) throw error;
        if (!ending.signal.aborted) onError(error);
      },
    );
    return () => {
      ending.abort();
      if (made !== null) URL.revokeObjectURL(made);
    };
  }, [gateway, file.path, kind]);
  return address;
}
