/** Which gateway this is and whether it is there; from here to the others that this browser knows. */

import { ChevronsUpDown, Plus, Server } from "lucide";
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { useClient, useGateway } from "../app/context.ts";
import { go } from "../app/router.ts";
import { t } from "../i18n/language.ts";
import { Icon } from "../ui/icon.tsx";
import { Menu, type MenuItem } from "../ui/menu.tsx";
import styles from "./sidebar.module.css";

export function GatewayButton(): JSX.Element {
  const client = useClient();
  const { gateway, connection } = useGateway();
  const [isOpen, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const known = client.gateways.value;
  const name = known.find(({ url }) => url === gateway.url)?.name ?? new URL(gateway.url).host;
  const { phase } = connection.value;
  const words = t(
    phase === "online" ? "sidebar.online" : phase === "connecting" ? "sidebar.connecting" : "sidebar.away",
  );
  const items: MenuItem[] = [
    ...known.map(({ url, name: label }) => ({
      ...{ label, icon: Server, isChecked: url === gateway.url },
      run: () => {
        if (url !== gateway.url) void client.open(url).then(() => go({ name: "chat", session: null }));
      },
    })),
    { label: t("sidebar.addGateway"), icon: Plus, run: () => go({ name: "settings", section: "gateways" }) },
  ];
  return (
    <>
      <button
        ref={button}
        type="button"
        class={styles["gateway"]}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-label={t("sidebar.gateway", { name, state: words })}
        onClick={() => setOpen(!isOpen)}
      >
        <span class={styles["light"]} data-phase={phase} />
        <span class={styles["gatewayName"]}>{name}</span>
        <Icon of={ChevronsUpDown} size={14} />
      </button>
      {isOpen && (
        <Menu
          label={t("sidebar.gateways")}
          items={items}
          anchor={button.current}
          onClose={() => {
            setOpen(false);
            button.current?.focus();
          }}
        />
      )}
    </>
  );
}
