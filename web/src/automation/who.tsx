/** Who does the work: an agent, and if wanted another provider and model than its own. */

import type { JSX } from "preact";
import { useGateway } from "../app/context.ts";
import type { Provider } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { Select, type Option } from "../ui/field.tsx";
import { useLoaded } from "./use-loaded.ts";
import styles from "./automation.module.css";

/** Empty: the gateway's first agent, or what the agent uses by itself. */
export interface Who {
  readonly agent: string;
  readonly provider: string;
  readonly model: string;
}

interface WhoFieldsGiven {
  readonly who: Who;
  readonly onChoose: (who: Partial<Who>) => void;
  readonly errorOf: (name: keyof Who) => string | null;
}

export function WhoFields({ who, onChoose, errorOf }: WhoFieldsGiven): JSX.Element {
  const { gateway } = useGateway();
  const agents = useLoaded("agents", () => gateway.api.agents()).value.value ?? [];
  const providers = useLoaded("providers", () => gateway.api.providers()).value.value ?? [];
  const provider = providers.find(({ id }) => id === who.provider);
  const chosen = who.agent || (agents[0]?.name ?? "");
  return (
    <div class={styles["columns"]}>
      {agents.length > 1 && (
        <Select
          label={t("automation.agent")}
          value={chosen}
          options={withChosen(
            agents.map(({ name, title }) => ({ value: name, label: title || name })),
            chosen,
          )}
          onChoose={(agent) => onChoose({ agent })}
          error={errorOf("agent")}
        />
      )}
      <Select
        label={t("automation.provider")}
        value={who.provider}
        options={withChosen(
          [{ value: "", label: t("automation.providerOfAgent") }, ...providers.map(optionOf)],
          who.provider,
        )}
        onChoose={(id) => onChoose({ provider: id, model: "" })}
        error={errorOf("provider")}
      />
      {who.provider !== "" && (
        <Select
          label={t("automation.model")}
          value={who.model}
          options={withChosen(
            [
              { value: "", label: t("automation.modelOfProvider") },
              ...(provider?.models ?? []).map((model) => ({ value: model, label: model })),
            ],
            who.model,
          )}
          onChoose={(model) => onChoose({ model })}
          error={errorOf("model")}
        />
      )}
    </div>
  );
}

/** In one line: who does it. */
export const whoWords = ({
  agent,
  provider,
  model,
}: {
  agent: string;
  provider: string | null;
  model: string | null;
}): string => [agent, provider, model].filter((one) => one !== null && one !== "").join(" · ");

const optionOf = ({ id, name, available }: Provider): Option => ({
  value: id,
  label: available ? name : t("automation.notAvailable", { name }),
});

/** What was chosen once stays a choice, even if nobody offers it now. */
function withChosen(options: readonly Option[], chosen: string): readonly Option[] {
  const isThere = chosen === "" || options.some(({ value }) => value === chosen);
  return isThere ? options : [...options, { value: chosen, label: chosen }];
}
