/** The chat in which something is said; or none, and each run has a session of its own. */

import type { JSX } from "preact";
import { useGateway } from "../app/context.ts";
import { hashOf } from "../app/router.ts";
import type { Session } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Select } from "../ui/field.tsx";
import { placeKey, type ChatPlace } from "./place.ts";

interface WhereFieldGiven {
  readonly value: string;
  readonly onChoose: (value: string) => void;
  readonly error: string | null;
}

export function WhereField({ value, onChoose, error }: WhereFieldGiven): JSX.Element {
  const { sessions } = useGateway();
  const chats = (sessions.list.value ?? []).filter((one) => !one.archived || placeKey(one) === value);
  const isThere = value === "" || chats.some((one) => placeKey(one) === value);
  return (
    <Select
      label={t("automation.where")}
      hint={t("automation.whereHint")}
      value={value}
      options={[
        { value: "", label: t("automation.whereOwn") },
        ...chats.map((one) => ({ value: placeKey(one), label: titleOf(one) })),
        ...(isThere ? [] : [{ value, label: t("automation.unknownChat", { place: value }) }]),
      ]}
      onChoose={onChoose}
      error={error}
    />
  );
}

/** The way to that chat. */
export function ChatName({ place }: { place: ChatPlace }): JSX.Element {
  const { sessions } = useGateway();
  const key = placeKey(place);
  if (key === "") return <>{t("automation.whereOwn")}</>;
  const found = sessions.list.value?.find((one) => placeKey(one) === key);
  if (found === undefined) return <>{t("automation.unknownChat", { place: key })}</>;
  return <a href={hashOf({ name: "chat", session: found.id })}>{titleOf(found)}</a>;
}

const titleOf = ({ title }: Session): string => title || t("automation.untitledChat");
