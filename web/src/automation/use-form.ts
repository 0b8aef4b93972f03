import { useState } from "preact/hooks";
import { useClient, useGateway } from "../app/context.ts";
import { sentenceOf } from "../app/toasts.tsx";
import { GatewayError } from "../gateway/errors.ts";
import { draftOf, fieldOf, withDraft, type Fields } from "./form.ts";

export interface Form<F extends Fields> {
  readonly values: F;
  /** Something is typed that the gateway does not have. */
  readonly isChanged: boolean;
  readonly isSending: boolean;
  readonly set: (fields: Partial<F>) => void;
  /** As it was. */
  readonly discard: () => void;
  /** What the gateway said the last time; `field` is null where that is about all of it. */
  readonly wrong: Wrong | null;
  /** What is wrong with a field, as a sentence. */
  readonly errorOf: (name: string) => string | null;
  /** Runs `work`; what was typed is forgotten only when that has succeeded. */
  readonly submit: (work: () => Promise<void>) => void;
}

interface FormGiven<F extends Fields> {
  /** What is kept of it is kept under this name. */
  readonly name: string;
  readonly initial: F;
  /** What sentences are about a field, also one that is not among what is kept. */
  readonly hints: readonly (readonly [string, RegExp])[];
  /** What was typed stays when it has been sent, to be sent again. */
  readonly staysAfterwards?: boolean;
}

export interface Wrong {
  readonly field: string | null;
  readonly sentence: string;
}

export const formName = (name: string): string => `form:${name}`;

export function useForm<F extends Fields>({ name, initial, hints, staysAfterwards }: FormGiven<F>): Form<F> {
  const { drafts } = useClient();
  const { url } = useGateway().gateway;
  const key = formName(name);
  const draft = drafts.of(url, key);
  const [isSending, setSending] = useState(false);
  const [wrong, setWrong] = useState<Wrong | null>(null);
  const values = withDraft(initial, draft.value);

  const set = (fields: Partial<F>): void => {
    drafts.write(url, key, draftOf(initial, { ...withDraft(initial, draft.peek()), ...fields }));
    if (wrong !== null && (wrong.field === null || wrong.field in fields)) setWrong(null);
  };
  const discard = (): void => {
    drafts.write(url, key, "");
    setWrong(null);
  };
  const send = async (work: () => Promise<void>): Promise<void> => {
    setSending(true);
    setWrong(null);
    try {
      await work();
      if (staysAfterwards !== true) discard();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      setWrong(wrongIn(error));
    } finally {
      setSending(false);
    }
  };
  const wrongIn = (error: GatewayError): Wrong => {
    const { code, detail } = error;
    const isAboutInput = code === "invalid" || code === "bad_request";
    const field = isAboutInput && detail !== null ? fieldOf(detail, Object.keys(initial), hints) : null;
    return field === null || detail === null
      ? { field: null, sentence: sentenceOf(error) }
      : { field, sentence: detail };
  };
  return {
    values,
    isChanged: draft.value !== "",
    isSending,
    set,
    discard,
    wrong,
    errorOf: (field) => (wrong?.field === field ? wrong.sentence : null),
    submit: (work) => {
      if (!isSending) void send(work);
    },
  };
}
