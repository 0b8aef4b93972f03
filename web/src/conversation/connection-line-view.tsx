/** The connection's state above the conversation. It lies over it, so that nothing moves when it comes and goes. */

import { useComputed, useSignal, useSignalEffect, type ReadonlySignal } from "@preact/signals";
import { CloudOff, HardDrive, LoaderCircle, ShieldAlert } from "lucide";
import type { ComponentChildren, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { hashOf } from "../app/router.ts";
import type { ConnectionState } from "../gateway/connection.ts";
import type { ErrorCode } from "../gateway/errors.ts";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { lineAfter, NO_LINE, shownIn, type Line } from "./connection-line.ts";
import styles from "./connection-line.module.css";

interface ConnectionLineGiven {
  readonly connection: ReadonlySignal<ConnectionState>;
  /** Why the history cannot be read though the connection is there. */
  readonly trouble: ReadonlySignal<ErrorCode | null> | null;
  readonly onRetry: () => void;
}

export function ConnectionLine(given: ConnectionLineGiven): JSX.Element {
  const line = useLine(given.connection).value;
  const trouble = given.trouble?.value ?? null;
  return (
    <div class={styles["place"]} role="status">
      {line !== null ? (
        <Words line={line} onRetry={given.onRetry} />
      ) : (
        trouble !== null && (
          <Pill icon={HardDrive} tone="warning">
            {t(`error.${trouble}`)}
          </Pill>
        )
      )}
    </div>
  );
}

/** Null as long as the trouble is too short to be told. */
function useLine(connection: ReadonlySignal<ConnectionState>): ReadonlySignal<Line | null> {
  const now = useSignal(NO_LINE);
  const isShown = useSignal(false);
  useSignalEffect(() => {
    now.value = lineAfter(now.peek(), connection.value, Date.now());
  });
  useSignalEffect(() => {
    const wait = shownIn(now.value, Date.now());
    if (wait === null || wait === 0) {
      isShown.value = wait !== null;
      return;
    }
    const timer = setTimeout(() => (isShown.value = true), wait);
    return () => clearTimeout(timer);
  });
  return useComputed(() => (isShown.value ? now.value.line : null));
}

function Words({ line, onRetry }: { line: Line; onRetry: () => void }): JSX.Element | null {
  switch (line.kind) {
    case "connecting":
      return (
        <Pill icon={LoaderCircle} tone="busy">
          {t("connection.connecting")}
        </Pill>
      );
    case "offline":
      return (
        <Pill
          icon={CloudOff}
          tone="warning"
          action={
            <Button tone="quiet" isBusy={line.retryAt === null} onClick={onRetry}>
              {t("connection.retryNow")}
            </Button>
          }
        >
          {t(`offline.${line.reason}`)} <Countdown retryAt={line.retryAt} />
        </Pill>
      );
    case "refused":
      if (line.reason === "session_deleted") return null; // said where the next message would be typed
      return (
        <Pill
          icon={ShieldAlert}
          tone="danger"
          action={
            <>
              <Button tone="quiet" onClick={onRetry}>
                {t("connection.retryNow")}
              </Button>
              <a href={hashOf({ name: "settings", section: "gateways" })}>{t("conversation.gateways")}</a>
            </>
          }
        >
          {t(`refused.${line.reason}`)}
        </Pill>
      );
  }
}

/** Only for the eye: who listens would hear every second of it. */
function Countdown({ retryAt }: { retryAt: number | null }): JSX.Element {
  const seconds = useSignal(0);
  useEffect(() => {
    if (retryAt === null) return;
    const tick = (): void => void (seconds.value = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000)));
    tick();
    const timer = setInterval(tick, 250);
    return () => clearInterval(timer);
  }, [retryAt]);
  const isTrying = retryAt === null || seconds.value === 0;
  return (
    <span class={styles["countdown"]} aria-hidden="true">
      {isTrying ? t("connection.reconnecting") : t("connection.retryIn", { count: seconds.value })}
    </span>
  );
}

interface PillGiven {
  readonly icon: typeof CloudOff;
  readonly tone: "busy" | "warning" | "danger";
  readonly action?: ComponentChildren;
  readonly children: ComponentChildren;
}

function Pill({ icon, tone, action, children }: PillGiven): JSX.Element {
  return (
    <div class={`${styles["pill"]} ${styles[tone]}`}>
      <Icon of={icon} />
      <p>{children}</p>
      {action != null && <span class={styles["actions"]}>{action}</span>}
    </div>
  );
}
