/** What stands in the place of something that is not read yet, or cannot be. */

import { Unplug } from "lucide";
import type { JSX } from "preact";
import { sentenceOf } from "../app/toasts.tsx";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import type { Loader } from "./loader.ts";
import styles from "./automation.module.css";

interface LoadedGiven<T> {
  readonly of: Loader<T>;
  readonly children: (value: T) => JSX.Element | null;
}

export function Loaded<T>({ of, children }: LoadedGiven<T>): JSX.Element | null {
  const value = of.value.value;
  const trouble = of.trouble.value;
  if (trouble?.code === "not_found") return <Empty icon={Unplug} title={sentenceOf(trouble)} />;
  if (value !== null) return children(value);
  if (trouble === null) return <p class={styles["loading"]}>{t("shell.loading")}</p>;
  return (
    <div class={styles["trouble"]} role="alert">
      <p>{sentenceOf(trouble)}</p>
      <Button onClick={() => void of.load()}>{t("automation.tryAgain")}</Button>
    </div>
  );
}
