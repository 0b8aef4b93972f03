import { useEffect } from "preact/hooks";
import { lackOf } from "../app/capabilities.ts";
import { useGateway } from "../app/context.ts";
import { notifiesDesktop } from "../app/preferences.ts";
import { route } from "../app/router.ts";
import type { GatewayState } from "../state/gateway.ts";

/** Tell the desktop what happens, as long as the component that calls is there and people want it. */
export function useDesktopNotifications(): void {
  const state = useGateway();
  const isWanted = notifiesDesktop.value === "on";
  useEffect(() => {
    if (!isWanted || lackOf("notifications") !== null) return;
    const end = new AbortController();
    follow(state, end.signal).catch(() => undefined); // cannot be loaded now: the page itself says when the gateway is away
    return () => end.abort();
  }, [state, isWanted]);
}

async function follow(state: GatewayState, end: AbortSignal): Promise<void> {
  const [{ joinDesktop, showOnDesktop, takeFromDesktop }, { followForDesktop }] = await Promise.all([
    import("./desktop.ts"),
    import("./follow-for-desktop.ts"),
  ]);
  if (end.aborted) return;
  end.addEventListener("abort", joinDesktop());
  end.addEventListener("abort", followForDesktop(state, { show: showOnDesktop, take: takeFromDesktop }, route));
}
