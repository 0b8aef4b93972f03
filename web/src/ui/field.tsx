/** What people fill in: each with its label, a hint, and what is wrong with it, tied together for those who listen. */

import type {
  ComponentChildren,
  InputEventHandler,
  InputHTMLAttributes,
  JSX,
  PartialInputHTMLAttributes,
  Ref,
  TextareaHTMLAttributes,
} from "preact";
import { useId } from "preact/hooks";
import styles from "./field.module.css";

interface Around {
  readonly label: string;
  readonly hint?: ComponentChildren;
  /** What is wrong with it, as a sentence. */
  readonly error?: string | null | undefined;
  /** The label is only for those who listen. */
  readonly isLabelHidden?: boolean;
}

type Typed<Element> = {
  readonly value: string;
  readonly onType: (value: string) => void;
  readonly fieldRef?: Ref<Element>;
};

type TextGiven = Around &
  Typed<HTMLInputElement> &
  Pick<
    PartialInputHTMLAttributes<HTMLInputElement>,
    | "autocomplete"
    | "autofocus"
    | "disabled"
    | "inputMode"
    | "max"
    | "maxLength"
    | "min"
    | "onBlur"
    | "onKeyDown"
    | "placeholder"
    | "required"
    | "spellcheck"
    | "step"
  > & {
    readonly type?: "text" | "password" | "search" | "time" | "number" | "url" | "datetime-local";
    readonly list?: string;
  };

export function TextField(given: TextGiven): JSX.Element {
  const { label, hint, error, isLabelHidden, value, onType, fieldRef, ...rest } = given;
  return (
    <Labelled {...{ label, hint, error, isLabelHidden }}>
      {(ids) => {
        const onInput: InputEventHandler<HTMLInputElement> = (event) => onType(event.currentTarget.value);
        const attributes = { ...rest, ...ids, value, onInput, ref: fieldRef ?? null, class: styles["input"] };
        return <input {...(attributes as InputHTMLAttributes)} />; // one of its types, as it stands there
      }}
    </Labelled>
  );
}

type AreaGiven = Around & Typed<HTMLTextAreaElement> & Omit<TextareaHTMLAttributes, "value" | "class" | "className">;

export function TextArea({
  label,
  hint,
  error,
  isLabelHidden,
  value,
  onType,
  fieldRef,
  ...rest
}: AreaGiven): JSX.Element {
  return (
    <Labelled {...{ label, hint, error, isLabelHidden }}>
      {(ids) => (
        <textarea
          {...rest}
          {...ids}
          ref={fieldRef ?? null}
          class={styles["input"]}
          value={value}
          onInput={(event) => onType(event.currentTarget.value)}
        />
      )}
    </Labelled>
  );
}

export interface Option<Value extends string = string> {
  readonly value: Value;
  readonly label: string;
  readonly isDisabled?: boolean;
}

interface SelectGiven<Value extends string> extends Around {
  readonly value: Value;
  readonly options: readonly Option<Value>[];
  readonly onChoose: (value: Value) => void;
  readonly disabled?: boolean;
}

export function Select<Value extends string>(given: SelectGiven<Value>): JSX.Element {
  const { label, hint, error, isLabelHidden, value, options, onChoose, disabled } = given;
  return (
    <Labelled {...{ label, hint, error, isLabelHidden }}>
      {(ids) => (
        <select
          {...ids}
          class={styles["input"]}
          value={value}
          disabled={disabled}
          onChange={({ currentTarget }) => {
            const chosen = options.find((option) => option.value === currentTarget.value);
            if (chosen !== undefined) onChoose(chosen.value);
          }}
        >
          {options.map((option) => (
            <option key={option.value} value={option.value} disabled={option.isDisabled}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Labelled>
  );
}

interface SwitchGiven {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly isOn: boolean;
  readonly onSwitch: (isOn: boolean) => void;
  readonly disabled?: boolean;
}

export function Switch({ label, hint, isOn, onSwitch, disabled }: SwitchGiven): JSX.Element {
  const id = useId();
  return (
    <div class={styles["switchRow"]}>
      <label class={styles["switch"]}>
        <input
          type="checkbox"
          role="switch"
          checked={isOn}
          disabled={disabled}
          aria-describedby={hint === undefined ? undefined : id}
          onChange={({ currentTarget }) => onSwitch(currentTarget.checked)}
        />
        <span class={styles["track"]} aria-hidden="true" />
        <span>{label}</span>
      </label>
      {hint !== undefined && (
        <p id={id} class={styles["hint"]}>
          {hint}
        </p>
      )}
    </div>
  );
}

interface Ids {
  readonly id: string;
  readonly "aria-describedby"?: string;
  readonly "aria-invalid"?: true;
}

function Labelled({
  label,
  hint,
  error,
  isLabelHidden,
  children,
}: {
  [K in keyof Around]: Around[K] | undefined;
} & { readonly label: string; readonly children: (ids: Ids) => JSX.Element }): JSX.Element {
  const id = useId();
  const told = [hint == null ? null : `${id}-hint`, error == null ? null : `${id}-error`].filter((one) => one !== null);
  const ids: Ids = {
    id,
    ...(told.length === 0 ? {} : { "aria-describedby": told.join(" ") }),
    ...(error == null ? {} : { "aria-invalid": true as const }),
  };
  return (
    <div class={styles["field"]}>
      <label for={id} class={isLabelHidden === true ? "visually-hidden" : styles["label"]}>
        {label}
      </label>
      {children(ids)}
      {hint != null && (
        <p id={`${id}-hint`} class={styles["hint"]}>
          {hint}
        </p>
      )}
      {error != null && (
        <p id={`${id}-error`} class={styles["error"]} role="alert">
          {error}
        </p>
      )}
    </div>
  );
}
