/** Everything that can be done, and every chat, by a few letters of its name. */

import { MessageSquare } from "lucide";
import type { JSX } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { commands, keysForPeople, type Command } from "../app/commands.ts";
import { useGateway } from "../app/context.ts";
import { go } from "../app/router.ts";
import { t } from "../i18n/language.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icon.tsx";
import { best } from "./ranking.ts";
import styles from "./palette.module.css";

const MOST = 8;

export function CommandPalette({ onClose }: { onClose: () => void }): JSX.Element {
  const { sessions } = useGateway();
  const [typed, setTyped] = useState("");
  const [chosen, setChosen] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const available = useMemo(
    () => [...commands.value].reverse().flatMap((group) => group.filter(({ isOnlyKeys }) => isOnlyKeys !== true)),
    [commands.value],
  );
  const chats = useMemo(
    () =>
      (sessions.list.value ?? []).map(({ id, title }): Command => ({
        ...{ id: `chat ${id}`, title: title === "" ? t("sidebar.untitled") : title, icon: MessageSquare },
        run: () => go({ name: "chat", session: id }),
      })),
    [sessions.list.value],
  );
  const nameOf = ({ title }: Command): string => title;
  const groups = [
    { name: t("palette.commands"), items: best(available, nameOf, typed, typed === "" ? 20 : MOST) },
    { name: t("palette.chats"), items: best(chats, nameOf, typed, MOST) },
  ].filter(({ items }) => items.length > 0);
  const all = groups.flatMap(({ items }) => items);
  const at = Math.min(chosen, all.length - 1);
  const run = (command: Command | undefined): void => {
    if (command === undefined) return;
    onClose();
    command.run();
  };
  const press = (event: KeyboardEvent): void => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined && all.length > 0) {
      const next = (at + by + all.length) % all.length;
      setChosen(next);
      list.current?.querySelectorAll("[role=option]")[next]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && !event.isComposing) run(all[at]);
    else return;
    event.preventDefault();
  };
  let place = 0;
  return (
    <Dialog title={t("shell.palette")} onClose={onClose}>
      <input
        class={styles["input"]}
        role="combobox"
        aria-label={t("palette.search")}
        placeholder={t("palette.search")}
        aria-expanded={all.length > 0}
        aria-controls="palette-list"
        aria-activedescendant={all.length > 0 ? `palette-${at}` : undefined}
        autocomplete="off"
        autofocus
        value={typed}
        onInput={({ currentTarget }) => {
          setTyped(currentTarget.value);
          setChosen(0);
        }}
        onKeyDown={press}
      />
      <p class="visually-hidden" role="status">
        {t("palette.results", { count: all.length })}
      </p>
      <div ref={list} id="palette-list" role="listbox" aria-label={t("palette.search")} class={styles["list"]}>
        {groups.map(({ name, items }) => (
          <div key={name} role="group" aria-label={name}>
            <p class={styles["group"]} aria-hidden="true">
              {name}
            </p>
            {items.map((command) => {
              const mine = place++;
              return (
                <div
                  key={command.id}
                  id={`palette-${mine}`}
                  role="option"
                  aria-selected={mine === at}
                  class={styles["item"]}
                  onMouseMove={() => setChosen(mine)}
                  onClick={() => run(command)}
                >
                  <span class={styles["sign"]}>
                    {command.icon !== undefined && <Icon of={command.icon} size={16} />}
                  </span>
                  <span class={styles["name"]}>{command.title}</span>
                  {command.keys !== undefined && <kbd>{keysForPeople(command.keys)}</kbd>}
                </div>
              );
            })}
          </div>
        ))}
      </div>
      {all.length === 0 && <p class={styles["nothing"]}>{t("palette.nothing")}</p>}
    </Dialog>
  );
}
