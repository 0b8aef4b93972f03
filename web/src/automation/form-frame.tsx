/** Around the fields of a form: what is wrong with all of it, and its buttons. */

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { t } from "../i18n/language.ts";
import { Button } from "../ui/button.tsx";
import type { Fields } from "./form.ts";
import type { Form } from "./use-form.ts";
import styles from "./automation.module.css";

interface FormFrameGiven<F extends Fields> {
  readonly form: Form<F>;
  readonly label: string;
  readonly submitLabel: string;
  readonly onSubmit: () => Promise<void>;
  /** Leave it; what was typed is forgotten. */
  readonly onCancel: () => void;
  readonly children: ComponentChildren;
}

export function FormFrame<F extends Fields>(given: FormFrameGiven<F>): JSX.Element {
  const { form, label, submitLabel, onSubmit, onCancel, children } = given;
  const { connection } = useGateway();
  const element = useRef<HTMLFormElement>(null);
  useEffect(() => {
    // Where it is wrong may be out of sight.
    if (form.wrong !== null) element.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus();
  }, [form.wrong]);
  const isWaiting = form.isSending && connection.value.phase !== "online";
  return (
    <form
      ref={element}
      class={styles["form"]}
      aria-label={label}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        form.submit(onSubmit);
      }}
    >
      {children}
      {form.wrong?.field === null && (
        <p class={styles["wrong"]} role="alert">
          {form.wrong.sentence}
        </p>
      )}
      <footer class={styles["buttons"]}>
        <Button tone="primary" type="submit" isBusy={form.isSending}>
          {submitLabel}
        </Button>
        <Button
          tone="quiet"
          onClick={() => {
            form.discard();
            onCancel();
          }}
        >
          {form.isChanged ? t("automation.discard") : t("shell.cancel")}
        </Button>
        {form.isChanged && !isWaiting && <p class={styles["kept"]}>{t("automation.kept")}</p>}
        <p class={styles["kept"]} role="status">
          {isWaiting && t("automation.waitsForConnection")}
        </p>
      </footer>
    </form>
  );
}
