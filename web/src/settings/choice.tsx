/** One of a few, all to be seen. */

import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";
import styles from "./settings.module.css";

interface ChoiceGiven<Value extends string> {
  readonly label: string;
  readonly hint?: string;
  readonly value: Value;
  readonly options: readonly { readonly value: Value; readonly label: string; readonly picture?: ComponentChildren }[];
  readonly onChoose: (value: Value) => void;
}

export function Choice<Value extends string>(given: ChoiceGiven<Value>): JSX.Element {
  const { label, hint, value, options, onChoose } = given;
  const id = useId();
  return (
    <fieldset class={styles["choice"]} aria-describedby={hint === undefined ? undefined : `${id}-hint`}>
      <legend>{label}</legend>
      <div class={styles["options"]}>
        {options.map((option) => (
          <label key={option.value}>
            <input
              type="radio"
              name={id}
              value={option.value}
              checked={option.value === value}
              onChange={() => onChoose(option.value)}
            />
            {option.picture}
            <span>{option.label}</span>
          </label>
        ))}
      </div>
      {hint !== undefined && (
        <p id={`${id}-hint`} class={styles["quiet"]}>
          {hint}
        </p>
      )}
    </fieldset>
  );
}
