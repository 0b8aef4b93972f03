/** Who answers in this chat: a chip that says so, and a list to choose from. */

import { Check, ChevronDown, ChevronRight, RefreshCw, TriangleAlert } from "lucide";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useGateway } from "../app/context.ts";
import { sentenceOf, toastError } from "../app/toasts.tsx";
import type { Choice, Provider, Session } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import { IconButton } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { answerersOf, type Answerer } from "./answerers.ts";
import styles from "./model-menu.module.css";

export function ModelMenu({ session }: { session: Session }): JSX.Element {
  const gateway = useGateway();
  const answerers = answerersOf(gateway);
  const answerer = answerers.of(session);
  const [isOpen, setOpen] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  const choose = async (choice: Choice): Promise<void> => {
    close();
    setBusy(true);
    try {
      await gateway.gateway.api.sessions.choose(session.id, choice);
      await gateway.sessions.load();
    } finally {
      setBusy(false);
    }
  };
  const name = answerer.provider?.name ?? session.provider ?? t("conversation.model.none");
  return (
    <>
      <button
        ref={button}
        type="button"
        class={styles["chip"]}
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        aria-busy={isBusy || undefined}
        aria-label={t("conversation.model.label", { provider: name, model: answerer.model ?? "" })}
        title={[name, answerer.model ?? ""].filter(Boolean).join(" · ")}
        onClick={() => {
          setOpen(!isOpen);
          if (!isOpen) void answerers.load();
        }}
      >
        <Dot provider={answerer.provider} />
        <span class={styles["provider"]}>{name}</span>
        {answerer.model !== null && answerer.model !== answerer.provider?.id && (
          <span class={styles["model"]}>{answerer.model}</span>
        )}
        <Icon of={ChevronDown} size={14} />
      </button>
      {isOpen && (
        <Choices
          id={id}
          session={session}
          answerer={answerer}
          anchor={button.current}
          onChoose={(choice) => void choose(choice).catch(toastError)}
          onClose={close}
        />
      )}
    </>
  );
}

interface ChoicesGiven {
  readonly id: string;
  readonly session: Session;
  readonly answerer: Answerer;
  readonly anchor: HTMLElement | null;
  readonly onChoose: (choice: Choice) => void;
  readonly onClose: () => void;
}

/** From here on there are so many models that one types to find one. */
const MANY = 12;

function Choices({ id, session, answerer, anchor, onChoose, onClose }: ChoicesGiven): JSX.Element {
  const answerers = answerersOf(useGateway());
  const [wanted, setWanted] = useState("");
  const [isLooking, setLooking] = useState(false);
  const panel = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const shown = panel.current;
    if (shown === null) return;
    shown.showPopover();
    if (anchor !== null) place(shown, anchor);
    (shown.querySelector<HTMLElement>("[aria-checked=true]") ?? choicesIn(shown)[0])?.focus();
  }, [anchor]);
  useEffect(() => {
    const whenElsewhere = ({ target }: Event): void => {
      const isInside = target instanceof Node && (panel.current?.contains(target) || anchor?.contains(target));
      if (isInside !== true) onClose();
    };
    document.addEventListener("pointerdown", whenElsewhere);
    window.addEventListener("resize", onClose);
    return () => {
      document.removeEventListener("pointerdown", whenElsewhere);
      window.removeEventListener("resize", onClose);
    };
  }, [anchor, onClose]);

  const providers = answerers.providers.value ?? [];
  const trouble = answerers.trouble.value;
  const isMany = providers.reduce((count, { models }) => count + models.length, 0) > MANY;
  const lookAgain = async (): Promise<void> => {
    setLooking(true);
    await answerers.load(true);
    setLooking(false);
  };
  return (
    <div
      ref={panel}
      id={id}
      popover="manual"
      role="dialog"
      aria-label={t("conversation.model.title")}
      class={styles["panel"]}
      onKeyDown={(event) => moveIn(event, panel.current, onClose)}
      onFocusOut={({ relatedTarget }) => {
        if (relatedTarget instanceof Node && panel.current?.contains(relatedTarget) === false) onClose();
      }}
    >
      <header class={styles["head"]}>
        <span>{t("conversation.model.title")}</span>
        <IconButton
          icon={RefreshCw}
          size={15}
          label={t("conversation.model.refresh")}
          aria-busy={isLooking || undefined}
          onClick={() => void lookAgain()}
        />
      </header>
      {isMany && (
        <input
          class={styles["filter"]}
          type="search"
          aria-label={t("conversation.model.filter")}
          placeholder={t("conversation.model.filter")}
          value={wanted}
          onInput={({ currentTarget }) => setWanted(currentTarget.value)}
        />
      )}
      {trouble !== null && <p class={styles["trouble"]}>{sentenceOf(trouble)}</p>}
      <div role="radiogroup" aria-label={t("conversation.model.title")}>
        <One
          name={t("conversation.model.default")}
          isChecked={answerer.isDefault}
          onPress={() => onChoose({ provider: null, model: null })}
        />
        {providers
          .filter(({ available }) => available)
          .map((provider) => (
            <ProviderGroup
              key={provider.id}
              provider={provider}
              wanted={wanted.trim().toLowerCase()}
              chosen={answerer.isDefault ? null : { provider: answerer.provider?.id ?? null, model: session.model }}
              onChoose={onChoose}
            />
          ))}
      </div>
      <Unavailable providers={providers.filter(({ available }) => !available)} />
    </div>
  );
}

interface ProviderGroupGiven {
  readonly provider: Provider;
  readonly wanted: string;
  readonly chosen: Choice | null;
  readonly onChoose: (choice: Choice) => void;
}

function ProviderGroup({ provider, wanted, chosen, onChoose }: ProviderGroupGiven): JSX.Element | null {
  const { id, name, models } = provider;
  const isWanted = (text: string): boolean => text.toLowerCase().includes(wanted);
  const shown = wanted === "" || isWanted(name) ? models : models.filter(isWanted);
  if (wanted !== "" && shown.length === 0 && !isWanted(name)) return null;
  return (
    <div class={styles["group"]}>
      <p class={styles["name"]}>
        <Dot provider={provider} />
        {name}
      </p>
      {shown.map((model) => (
        <One
          key={model}
          name={model}
          note={model === models[0] ? t("conversation.model.usual") : null}
          isChecked={chosen?.provider === id && (chosen.model ?? models[0]) === model}
          onPress={() => onChoose({ provider: id, model })}
        />
      ))}
    </div>
  );
}

/** Those that cannot answer now, with what would help. */
function Unavailable({ providers }: { providers: readonly Provider[] }): JSX.Element | null {
  const [isOpen, setOpen] = useState(false);
  if (providers.length === 0) return null;
  return (
    <div class={styles["away"]}>
      <button type="button" class={styles["one"]} aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span class={styles["chevron"]}>
          <Icon of={ChevronRight} size={15} />
        </span>
        {t("conversation.model.unavailable", { count: providers.length })}
      </button>
      {isOpen &&
        providers.map((provider) => (
          <div key={provider.id} class={styles["group"]}>
            <p class={styles["name"]}>
              <Dot provider={provider} />
              {provider.name}
            </p>
            <p class={styles["why"]}>
              <Icon of={TriangleAlert} size={14} />
              <span>{withCode([provider.reason ?? "", provider.remedy ?? ""].join(" ").trim())}</span>
            </p>
          </div>
        ))}
    </div>
  );
}

/** What the gateway puts between backticks is to be typed as it stands. */
const withCode = (text: string): ComponentChildren =>
  text.split("`").map((part, place) => (place % 2 === 1 ? <code key={place}>{part}</code> : part));

interface OneGiven {
  readonly name: string;
  readonly note?: string | null;
  readonly isChecked: boolean;
  readonly onPress: () => void;
}

function One({ name, note, isChecked, onPress }: OneGiven): JSX.Element {
  return (
    <button type="button" role="radio" aria-checked={isChecked} class={styles["one"]} onClick={onPress}>
      <span class={styles["check"]}>{isChecked && <Icon of={Check} size={15} />}</span>
      <span>{name}</span>
      {note != null && <span class={styles["note"]}>{note}</span>}
    </button>
  );
}

/** Its colour is the provider's own. */
function Dot({ provider }: { provider: Provider | null }): JSX.Element {
  return (
    <span class={styles["dot"]} aria-hidden="true" style={provider === null ? {} : { background: provider.color }} />
  );
}

const choicesIn = (panel: HTMLElement): HTMLElement[] => [...panel.querySelectorAll<HTMLElement>("[role=radio]")];

function moveIn(event: KeyboardEvent, panel: HTMLElement | null, onClose: () => void): void {
  if (panel === null) return;
  if (event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    onClose();
    return;
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const all = choicesIn(panel);
  const at = all.findIndex((one) => one === document.activeElement);
  all[(at + step + all.length) % all.length]?.focus();
}

const MARGIN = 8;

function place(panel: HTMLElement, anchor: HTMLElement): void {
  const { left, bottom } = anchor.getBoundingClientRect();
  const x = Math.min(left, window.innerWidth - panel.offsetWidth - MARGIN);
  panel.style.left = `${Math.max(MARGIN, x)}px`;
  panel.style.top = `${bottom + 4}px`;
  panel.style.maxHeight = `${window.innerHeight - bottom - 4 - MARGIN}px`;
}
