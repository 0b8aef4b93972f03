/** How a run stands, by icon and word. */

import { Ban, CircleCheck, CircleX, Clock, LoaderCircle, SkipForward, Unplug, type IconNode } from "lucide";
import type { JSX } from "preact";
import { tOf } from "../i18n/language.ts";
import { Icon } from "../ui/icon.tsx";
import styles from "./run-status.module.css";

const ICONS: Readonly<Record<string, IconNode>> = {
  queued: Clock,
  running: LoaderCircle,
  done: CircleCheck,
  failed: CircleX,
  aborted: Ban,
  interrupted: Unplug,
  skipped: SkipForward,
};

export function RunStatus({ status }: { status: string }): JSX.Element {
  return (
    <span class={styles["status"]} data-status={status}>
      <Icon of={ICONS[status] ?? Clock} size={16} />
      {tOf("automation.status", status, "automation.status.other")}
    </span>
  );
}

export const isUnderWay = ({ status }: { readonly status: string }): boolean =>
  status === "queued" || status === "running";
