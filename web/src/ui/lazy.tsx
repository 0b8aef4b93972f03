/** Parts of the page that are loaded when they are first shown. */

import { signal } from "@preact/signals";
import type { ComponentType, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { t } from "../i18n/language.ts";
import { Button } from "./button.tsx";
import styles from "./lazy.module.css";

/**
 * A component that is loaded when it is drawn for the first time. While that takes, and if it fails (the gateway is gone, or
 * has another version of the page by now), it says so.
 */
export function lazy<Given extends object>(load: () => Promise<ComponentType<Given>>): ComponentType<Given> {
  const loaded = signal<{ readonly component: ComponentType<Given> } | null>(null);
  const hasFailed = signal(false);
  let loading: Promise<void> | null = null;
  const start = (): void => {
    hasFailed.value = false;
    loading ??= load().then(
      (component) => void (loaded.value = { component }),
      () => {
        loading = null;
        hasFailed.value = true;
      },
    );
  };
  return function Lazy(given: Given): JSX.Element {
    useEffect(start, []);
    if (loaded.value !== null) return <loaded.value.component {...given} />;
    if (!hasFailed.value) return <p class={styles["loading"]}>{t("shell.loading")}</p>;
    return (
      <div class={styles["loading"]} role="alert">
        <p>{t("shell.notLoaded")}</p>
        <Button onClick={() => location.reload()}>{t("shell.reload")}</Button>
      </div>
    );
  };
}
