/** A page that connects, shows the conversation as text, and sends. Screens take its place. */

import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { GatewayError } from "./gateway/errors.ts";
import { parseLink } from "./gateway/link.ts";
import type { ConnectionState } from "./gateway/connection.ts";
import { t, tOf } from "./i18n/language.ts";
import type { Client } from "./state/client.ts";
import type { GatewayState } from "./state/gateway.ts";
import type { TurnRow } from "./state/transcript.ts";
import { textOf } from "./state/turns.ts";

export function BarePage({ client }: { client: Client }): JSX.Element {
  const state = client.current.value;
  const trouble = client.trouble.value;
  return (
    <main>
      <h1>{t("app.name")}</h1>
      {trouble !== null && <p role="alert">{tOf("error", trouble, "error.internal_error")}</p>}
      {state === null ? (
        <Connect client={client} />
      ) : (
        <Conversation key={state.gateway.url} client={client} state={state} />
      )}
    </main>
  );
}

function Connect({ client }: { client: Client }): JSX.Element {
  const [link, setLink] = useState("");
  const [isBad, setBad] = useState(false);
  const connect = (event: Event): void => {
    event.preventDefault();
    try {
      void client.add(parseLink(link));
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      setBad(true);
    }
  };
  return (
    <form onSubmit={connect}>
      <label>
        {t("app.link")}{" "}
        <input value={link} onInput={(event) => setLink(event.currentTarget.value)} autocomplete="off" />
      </label>
      <button type="submit">{t("app.connect")}</button>
      <p role={isBad ? "alert" : undefined}>{t(isBad ? "error.bad_link" : "app.linkHint")}</p>
    </form>
  );
}

function Conversation({ client, state }: { client: Client; state: GatewayState }): JSX.Element {
  const open = useMemo(() => state.openChat(null), [state]);
  useEffect(() => open.close, [open]);
  const { chat, transcript } = open;
  const draft = client.drafts.of(state.gateway.url, chat.key);
  const write = (text: string): void => client.drafts.write(state.gateway.url, chat.key, text);
  const send = (event: Event): void => {
    event.preventDefault();
    const text = draft.peek();
    write("");
    void chat.send(text).catch(() => write(text));
  };
  return (
    <>
      <p role="status">{sentence(open.connection.value)}</p>
      {transcript.hasMore.value && (
        <button type="button" onClick={() => void transcript.loadOlder()}>
          {t("app.older")}
        </button>
      )}
      <ol>
        {transcript.rows.value.map((row) => (
          <Row key={row.id} row={row} />
        ))}
        {transcript.outgoing.value.map(({ id, text, state: sent }) => (
          <li key={id}>
            {text} <small>{t(`outgoing.${sent}`)}</small>
          </li>
        ))}
      </ol>
      <ul>
        {state.approvals.value.map((request) => (
          <li key={request.id}>
            {request.tool}: {request.summary}
            {request.options.map((option) => (
              <button
                key={option}
                type="button"
                onClick={() => void state.gateway.approvals.answer(request.id, option).catch(() => undefined)}
              >
                {t(`approval.${option}`)}
              </button>
            ))}
          </li>
        ))}
      </ul>
      <form onSubmit={send}>
        <label>
          {t("app.message")} <textarea value={draft.value} onInput={(event) => write(event.currentTarget.value)} />
        </label>
        <button type="submit">{t("app.send")}</button>
        <button type="button" onClick={() => void chat.abort().catch(() => undefined)}>
          {t("app.stop")}
        </button>
      </form>
    </>
  );
}

function Row({ row }: { row: TurnRow }): JSX.Element {
  const turn = row.turn.value;
  return (
    <li>
      <p>{turn.user?.text}</p>
      <pre>{textOf(turn)}</pre>
      <small>{t(`turn.${turn.status}`)}</small>
    </li>
  );
}

function sentence(state: ConnectionState): string {
  switch (state.phase) {
    case "connecting":
      return t(state.attempt === 0 ? "connection.connecting" : "connection.reconnecting");
    case "online":
    case "closed":
      return t(`connection.${state.phase}`);
    case "offline":
      return t(`offline.${state.reason}`);
    case "refused":
      return t(`refused.${state.reason}`);
  }
}
