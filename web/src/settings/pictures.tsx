/** What a choice looks like, small. Decoration: the words stand below it. */

import type { JSX } from "preact";
import type { Density, Theme } from "../app/preferences.ts";
import styles from "./pictures.module.css";

/** Drawn with the page's own colours of that theme; the system's is half of each. */
export function ThemePicture({ of }: { of: Theme }): JSX.Element {
  return (
    <span class={styles["picture"]} aria-hidden="true">
      {(of === "system" ? (["light", "dark"] as const) : [of]).map((scheme) => (
        <span key={scheme} class={styles["page"]} data-scheme={scheme}>
          <span class={styles["question"]} />
          <span class={styles["line"]} />
          <span class={styles["line"]} />
        </span>
      ))}
    </span>
  );
}

export function DensityPicture({ of }: { of: Density }): JSX.Element {
  return (
    <span class={styles["picture"]} aria-hidden="true">
      <span class={styles["page"]} data-density-shown={of}>
        {Array.from({ length: of === "compact" ? 5 : 3 }, (_, at) => (
          <span key={at} class={styles["line"]} />
        ))}
      </span>
    </span>
  );
}
