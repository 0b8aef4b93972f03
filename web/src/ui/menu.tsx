/** A menu of actions behind a button, as the ARIA practices describe it: arrows, Home, End, first letters, Escape. */

import type { IconNode } from "lucide";
import type { JSX } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { IconButton } from "./button.tsx";
import { Icon } from "./icon.tsx";
import styles from "./menu.module.css";

export interface MenuItem {
  readonly label: string;
  readonly icon?: IconNode;
  readonly run: () => void;
  readonly isDanger?: boolean;
  readonly isDisabled?: boolean;
  /** One of several that can be chosen. */
  readonly isChecked?: boolean;
}

interface MenuGiven {
  readonly icon: IconNode;
  readonly label: string;
  readonly items: readonly MenuItem[];
  readonly size?: number;
}

export function MenuButton({ icon, label, items, size }: MenuGiven): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const close = (): void => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <span class={styles["anchor"]}>
      <IconButton
        icon={icon}
        label={label}
        {...(size === undefined ? {} : { size })}
        buttonRef={button}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={() => setOpen(!isOpen)}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown") return;
          event.preventDefault();
          setOpen(true);
        }}
      />
      {isOpen && <Menu id={id} label={label} items={items} anchor={button.current} onClose={close} />}
    </span>
  );
}

interface OpenMenuGiven {
  readonly id?: string;
  readonly label: string;
  readonly items: readonly MenuItem[];
  readonly anchor: HTMLElement | null;
  readonly onClose: () => void;
}

/** The open menu, in the top layer beside its anchor. */
export function Menu({ id, label, items, anchor, onClose }: OpenMenuGiven): JSX.Element {
  const list = useRef<HTMLDivElement>(null);
  const typed = useRef("");
  useLayoutEffect(() => {
    const menu = list.current;
    if (menu === null) return;
    menu.showPopover();
    if (anchor !== null) place(menu, anchor.getBoundingClientRect());
    options(menu)[0]?.focus();
  }, [anchor]);
  useEffect(() => {
    const whenElsewhere = ({ target }: Event): void => {
      const isInside = target instanceof Node && (list.current?.contains(target) || anchor?.contains(target));
      if (isInside !== true) onClose();
    };
    document.addEventListener("pointerdown", whenElsewhere);
    window.addEventListener("resize", onClose);
    return () => {
      document.removeEventListener("pointerdown", whenElsewhere);
      window.removeEventListener("resize", onClose);
    };
  }, [anchor, onClose]);

  const move = (event: KeyboardEvent): void => {
    const all = list.current === null ? [] : options(list.current);
    const at = all.findIndex((one) => one === document.activeElement);
    const to = {
      ArrowDown: (at + 1) % all.length,
      ArrowUp: (at - 1 + all.length) % all.length,
      Home: 0,
      End: all.length - 1,
    }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      all[to]?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      onClose();
    } else if (event.key.length === 1 && event.key !== " ") {
      typed.current = event.key.toLowerCase();
      const after = [...all.slice(at + 1), ...all.slice(0, at + 1)];
      after.find((one) => one.textContent.trim().toLowerCase().startsWith(typed.current))?.focus();
    }
  };
  return (
    <div ref={list} id={id} popover="manual" role="menu" aria-label={label} class={styles["menu"]} onKeyDown={move}>
      {items.map(({ label: words, icon, run, isDanger, isDisabled, isChecked }) => (
        <button
          key={words}
          type="button"
          role={isChecked === undefined ? "menuitem" : "menuitemradio"}
          aria-checked={isChecked}
          tabIndex={-1}
          disabled={isDisabled}
          class={`${styles["item"]} ${isDanger === true ? styles["danger"] : ""}`}
          onClick={() => {
            onClose();
            run();
          }}
        >
          {icon !== undefined && <Icon of={icon} size={16} />}
          <span>{words}</span>
        </button>
      ))}
    </div>
  );
}

const options = (menu: HTMLElement): HTMLButtonElement[] => [
  ...menu.querySelectorAll<HTMLButtonElement>("button:not(:disabled)"),
];

const MARGIN = 8;

function place(menu: HTMLElement, { left, right, top, bottom }: DOMRect): void {
  const { offsetWidth, offsetHeight } = menu;
  const isBelow = bottom + offsetHeight + MARGIN < window.innerHeight;
  const x = left + offsetWidth + MARGIN < window.innerWidth ? left : right - offsetWidth;
  const y = isBelow ? bottom + 4 : top - offsetHeight - 4;
  menu.style.left = `${Math.max(MARGIN, x)}px`;
  menu.style.top = `${Math.max(MARGIN, y)}px`;
}
