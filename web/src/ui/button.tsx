/** Buttons. `Button` has words, `IconButton` an icon and its words for those who point at it or listen. */

import type { IconNode } from "lucide";
import type { ButtonHTMLAttributes, ComponentChildren, JSX, Ref } from "preact";
import { Icon } from "./icon.tsx";
import styles from "./button.module.css";

type Given = Omit<ButtonHTMLAttributes, "class" | "className" | "icon" | "type"> & {
  readonly buttonRef?: Ref<HTMLButtonElement>;
  readonly type?: "button" | "submit";
};

interface ButtonGiven extends Given {
  readonly tone?: "plain" | "primary" | "quiet" | "danger";
  readonly icon?: IconNode;
  /** It cannot be pressed while something is under way. */
  readonly isBusy?: boolean;
  readonly children: ComponentChildren;
}

export function Button(given: ButtonGiven): JSX.Element {
  const { tone = "plain", icon, isBusy = false, children, buttonRef, type = "button", ...rest } = given;
  return (
    <button
      {...rest}
      type={type}
      ref={buttonRef ?? null}
      class={`${styles["button"]} ${styles[tone]}`}
      aria-busy={isBusy || undefined}
      disabled={rest.disabled === true || isBusy}
    >
      {icon !== undefined && <Icon of={icon} />}
      {children}
    </button>
  );
}

interface IconButtonGiven extends Given {
  readonly icon: IconNode;
  readonly label: string;
  /** The keys that do the same, to be shown with the label. */
  readonly keys?: string;
  readonly size?: number;
  readonly tone?: "quiet" | "primary" | "danger";
}

export function IconButton(given: IconButtonGiven): JSX.Element {
  const { icon, label, keys, size, tone = "quiet", buttonRef, type = "button", ...rest } = given;
  return (
    <button
      {...rest}
      type={type}
      ref={buttonRef ?? null}
      class={`${styles["icon"]} ${styles[tone]}`}
      aria-label={label}
      title={keys === undefined ? label : `${label} (${keys})`}
    >
      <Icon of={icon} {...(size === undefined ? {} : { size })} />
    </button>
  );
}
