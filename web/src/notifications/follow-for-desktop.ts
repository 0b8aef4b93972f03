/** What the desktop is told of while the page is in the background: arrivals, questions that wait, and finished answers. */

import { effect, type ReadonlySignal } from "@preact/signals";
import type { Route } from "../app/router.ts";
import { visibleText } from "../approvals/visible.ts";
import { GatewayError } from "../gateway/errors.ts";
import type { ChatNumbers } from "../gateway/gateway.ts";
import type { SessionNews } from "../gateway/session.ts";
import { t } from "../i18n/language.ts";
import type { ApprovalRequest } from "../protocol/messages.ts";
import type { GatewayState, OpenChat } from "../state/gateway.ts";
import type { DesktopNotification } from "./desktop.ts";
import { excerpt, sourceOf } from "./place.ts";

export interface Desktop {
  readonly show: (given: DesktopNotification) => Promise<void>;
  readonly take: (tag: string) => Promise<void>;
}

/** `route`: what this page shows. Returns what ends it. */
export function followForDesktop(state: GatewayState, desktop: Desktop, route: ReadonlySignal<Route>): () => void {
  const { approvals, notifications } = state.gateway;
  const known = new Set<string>();
  const asked = (pending: readonly ApprovalRequest[]): void => {
    for (const { id, sessionId, agent, tool, summary } of pending) {
      if (known.has(id)) continue;
      known.add(id);
      const words = { agent: visibleText(agent), tool: visibleText(tool) };
      void desktop.show({
        ...{ tag: `approval:${id}`, title: t("approvals.title", words), body: visibleText(summary) },
        to: { name: "chat", session: sessionId },
      });
    }
  };
  asked(approvals.pending);
  const answers = new Answers(state, desktop);
  const endings = [
    approvals.changes.add(asked),
    approvals.settlements.add(({ request }) => void desktop.take(`approval:${request.id}`)),
    notifications.arrivals.add((one) => {
      const to = sourceOf(one) ?? { name: "notifications" };
      void desktop.show({ tag: `notification:${one.id}`, title: one.title, body: excerpt(one.body), to });
    }),
    effect(() => {
      const shown = route.value;
      if (shown.name === "chat") answers.look(shown.session);
      else answers.lookAway();
    }),
  ];
  return () => {
    for (const end of endings) end();
    answers.close();
  };
}

interface Watched {
  readonly session: string | null;
  readonly open: OpenChat;
  readonly end: () => void;
  /** Begun on this page, and not over. */
  readonly turns: Set<string>;
}

/** Ends of turns that were begun on this page. A chat that is left stays open until all of its own are over. */
class Answers {
  readonly #state: GatewayState;
  readonly #desktop: Desktop;
  readonly #watched = new Map<string | null, Watched>();
  #shown: string | null | undefined;

  constructor(state: GatewayState, desktop: Desktop) {
    this.#state = state;
    this.#desktop = desktop;
  }

  look(session: string | null): void {
    this.#leave(session);
    if (!this.#watched.has(session)) void this.#watch(session);
  }

  lookAway(): void {
    this.#leave(undefined);
  }

  close(): void {
    this.#shown = undefined;
    for (const watched of [...this.#watched.values()]) this.#close(watched);
  }

  #leave(next: string | null | undefined): void {
    this.#shown = next;
    for (const watched of [...this.#watched.values()]) this.#closeIfOver(watched);
  }

  async #watch(session: string | null): Promise<void> {
    let numbers: ChatNumbers | null;
    try {
      numbers = session === null ? null : await this.#state.gateway.api.sessions.get(session);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return; // whoever shows the chat says so
    }
    if (this.#shown !== session || this.#watched.has(session)) return;
    const open = this.#state.openChat(numbers);
    const turns = new Set<string>();
    const endings = [
      open.chat.outbox.acceptances.add(({ turnId }) => turns.add(turnId)),
      open.chat.feed.news.add((news) => this.#take(watched, news)),
    ];
    const end = (): void => {
      for (const one of endings) one();
    };
    const watched: Watched = { session, open, turns, end };
    this.#watched.set(session, watched);
  }

  #take(watched: Watched, news: SessionNews): void {
    if (news.kind !== "event") return;
    const { event } = news;
    if (event.type !== "result" && event.type !== "turn_failed") return;
    if (!watched.turns.delete(event.turnId)) return;
    const isStopped = event.type === "result" && event.reason === "abort";
    if (!isStopped) {
      const to: Route = { name: "chat", session: watched.session };
      const body = event.type === "result" ? excerpt(event.text) : event.message;
      void this.#desktop.show({ tag: `turn:${event.turnId}`, title: this.#titleOf(watched), body, to });
    }
    this.#closeIfOver(watched);
  }

  #titleOf({ open }: Watched): string {
    const id = open.chat.feed.sessionId;
    const title = this.#state.sessions.list.peek()?.find((one) => one.id === id)?.title ?? "";
    return title === "" ? t("notifications.answered") : t("notifications.answeredIn", { title });
  }

  #closeIfOver(watched: Watched): void {
    if (watched.session !== this.#shown && watched.turns.size === 0) this.#close(watched);
  }

  #close(watched: Watched): void {
    this.#watched.delete(watched.session);
    watched.end();
    watched.open.close();
  }
}
