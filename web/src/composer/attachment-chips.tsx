/** The files of the next message: how far each is, and what can be done about it. */

import { File as FileIcon, RotateCw, X } from "lucide";
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { sentenceOf } from "../app/toasts.tsx";
import { sizeInWords } from "../files/sizes.ts";
import { PrivateWay } from "../files/private-way.tsx";
import { t } from "../i18n/language.ts";
import { IconButton } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import type { Attachment, Attachments } from "./attachments.ts";
import styles from "./composer.module.css";

export function AttachmentChips({ attachments }: { attachments: Attachments }): JSX.Element | null {
  const { http } = useGateway().gateway;
  const items = attachments.items.value;
  if (items.length === 0) return null;
  const refused = items.filter(({ error }) => error?.code === "not_private");
  return (
    <>
      <ul class={styles["chips"]} aria-label={t("composer.attachments")}>
        {items.map((item) => (
          <Chip key={item.id} item={item} attachments={attachments} />
        ))}
      </ul>
      {refused.length > 0 && (
        <PrivateWay
          onAllow={() => {
            http.allow();
            for (const { id } of refused) attachments.retry(id);
          }}
        />
      )}
    </>
  );
}

function Chip({ item, attachments }: { item: Attachment; attachments: Attachments }): JSX.Element {
  const { id, name, file, state, progress, error } = item;
  const percent = Math.round(progress * 100);
  return (
    <li class={styles["chip"]} data-state={state}>
      {file === null ? <Icon of={FileIcon} /> : <Thumbnail file={file} />}
      <span class={styles["chipText"]}>
        <span class={styles["chipName"]} title={name}>
          {name}
        </span>
        <span class={styles["chipState"]}>
          {state === "uploading" && t("composer.uploading", { percent })}
          {state === "done" && file !== null && sizeInWords(file.size)}
          {state === "failed" && <span role="alert">{error === null ? "" : sentenceOf(error)}</span>}
        </span>
        {state === "uploading" && <progress value={progress} max={1} aria-label={t("composer.uploadOf", { name })} />}
      </span>
      {state === "failed" && (
        <IconButton icon={RotateCw} size={15} label={t("composer.uploadAgain")} onClick={() => attachments.retry(id)} />
      )}
      <IconButton
        icon={X}
        size={15}
        label={t(state === "uploading" ? "composer.cancelUpload" : "composer.removeFile", { name })}
        onClick={() => attachments.remove(id)}
      />
    </li>
  );
}

const PICTURES = /^image\/(?:png|jpeg|gif|webp|avif)$/;

function Thumbnail({ file }: { file: File }): JSX.Element {
  const [address, setAddress] = useState<string | null>(null);
  useEffect(() => {
    if (!PICTURES.test(file.type)) return;
    const made = URL.createObjectURL(file);
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  if (address === null) return <Icon of={FileIcon} />;
  return <img src={address} alt="" class={styles["thumbnail"]} />;
}
