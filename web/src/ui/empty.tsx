/** What a place shows that has nothing: what it is for, and how there will be something. */

import type { IconNode } from "lucide";
import type { ComponentChildren, JSX } from "preact";
import { Icon } from "./icon.tsx";
import styles from "./empty.module.css";

interface EmptyGiven {
  readonly icon: IconNode;
  readonly title: string;
  readonly children?: ComponentChildren;
}

export function Empty({ icon, title, children }: EmptyGiven): JSX.Element {
  return (
    <div class={styles["empty"]}>
      <Icon of={icon} size={28} />
      <h2>{title}</h2>
      {children}
    </div>
  );
}
