/** Who can answer on a gateway, and who does: its providers and agents, read once and anew when somebody looks. */

import { signal, type ReadonlySignal } from "@preact/signals";
import { GatewayError } from "../gateway/errors.ts";
import type { Agent, Provider, Session } from "../gateway/shapes.ts";
import type { GatewayState } from "../state/gateway.ts";

type Source = Pick<GatewayState["gateway"], "api">;

const all = new WeakMap<GatewayState, Answerers>();

export function answerersOf(gateway: GatewayState): Answerers {
  const known = all.get(gateway) ?? new Answerers(gateway.gateway);
  all.set(gateway, known);
  return known;
}

/** Null where nobody can tell. */
export interface Answerer {
  readonly provider: Provider | null;
  readonly model: string | null;
  /** It was not chosen for this chat: it is the agent's. */
  readonly isDefault: boolean;
}

export class Answerers {
  readonly providers: ReadonlySignal<readonly Provider[] | null>;
  readonly agents: ReadonlySignal<readonly Agent[] | null>;
  /** Why they are not known. */
  readonly trouble: ReadonlySignal<GatewayError | null>;

  readonly #source: Source;
  readonly #providers = signal<readonly Provider[] | null>(null);
  readonly #agents = signal<readonly Agent[] | null>(null);
  readonly #trouble = signal<GatewayError | null>(null);

  constructor(source: Source) {
    this.#source = source;
    this.providers = this.#providers;
    this.agents = this.#agents;
    this.trouble = this.#trouble;
  }

  /** `refresh`: let the gateway look again whether they can run. */
  async load(refresh = false): Promise<void> {
    const { api } = this.#source;
    try {
      const [providers, agents] = await Promise.all([api.providers({ refresh }), api.agents()]);
      this.#providers.value = providers;
      this.#agents.value = agents;
      this.#trouble.value = null;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#trouble.value = error;
    }
  }

  /** What people call an agent. */
  titleOf(agent: string): string {
    const title = this.#agents.value?.find(({ name }) => name === agent)?.title ?? "";
    return title === "" ? agent : title;
  }

  /** Who answers in a chat. */
  of({ agent, provider, model }: Pick<Session, "agent" | "provider" | "model">): Answerer {
    const byDefault = this.#agents.value?.find(({ name }) => name === agent);
    const isDefault = provider === null && model === null;
    const id = provider ?? byDefault?.provider ?? null;
    const found = this.#providers.value?.find((one) => one.id === id) ?? null;
    const itsModel = byDefault !== undefined && id === byDefault.provider ? byDefault.model : found?.models[0];
    return { provider: found, model: model ?? itsModel ?? null, isDefault };
  }
}
