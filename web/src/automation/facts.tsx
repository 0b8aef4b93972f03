/** What a thing is like: names and values. */

import type { ComponentChild, JSX } from "preact";
import { Fragment } from "preact";
import styles from "./automation.module.css";

/** A value that is null is left out. */
export function Facts({ of }: { of: readonly (readonly [name: string, value: ComponentChild])[] }): JSX.Element {
  return (
    <dl class={styles["sheet"]}>
      {of
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
    </dl>
  );
}
