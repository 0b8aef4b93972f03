import { useState } from "preact/hooks";
import { useClient, useGateway } from "../app/context.ts";
import { formName } from "./use-form.ts";

export interface Editing {
  readonly isOpen: boolean;
  readonly open: () => void;
  readonly close: () => void;
}

/** Whether a thing is shown as its form: because somebody wants to change it, or has begun to and left. */
export function useEditing(name: string): Editing {
  const { drafts } = useClient();
  const { url } = useGateway().gateway;
  const [isWanted, setWanted] = useState(false);
  const hasBegun = drafts.of(url, formName(name)).value !== "";
  return { isOpen: isWanted || hasBegun, open: () => setWanted(true), close: () => setWanted(false) };
}
