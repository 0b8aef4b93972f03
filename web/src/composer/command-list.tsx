/** The gateway's commands that may be meant, above what is typed. */

import type { JSX } from "preact";
import { t } from "../i18n/language.ts";
import type { CommandName } from "./sending.ts";
import styles from "./composer.module.css";

interface CommandListGiven {
  readonly names: readonly CommandName[];
  readonly chosen: number;
  readonly onTake: (name: CommandName) => void;
}

export function CommandList({ names, chosen, onTake }: CommandListGiven): JSX.Element | null {
  if (names.length === 0) return null;
  return (
    <ul id="composer-commands" class={styles["commands"]} role="listbox" aria-label={t("composer.commands")}>
      {names.map((name, place) => (
        <li
          key={name}
          id={`composer-command-${place}`}
          role="option"
          aria-selected={place === Math.min(chosen, names.length - 1)}
          onMouseDown={(event) => event.preventDefault()} // the focus stays where it is
          onClick={() => onTake(name)}
        >
          <code>/{name}</code> <span>{t(`composer.command.${name}`)}</span>
        </li>
      ))}
    </ul>
  );
}
