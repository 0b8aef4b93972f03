/** What can be done with a chat, from wherever it is shown. Each shows at once, and can be taken back. */

import { go, route } from "../app/router.ts";
import { toast, toastError } from "../app/toasts.tsx";
import type { Session } from "../gateway/shapes.ts";
import { t } from "../i18n/language.ts";
import type { GatewayState } from "../state/gateway.ts";

const titleOf = ({ title }: Session): string => (title === "" ? t("sidebar.untitled") : title);

export function renameSession({ sessions }: GatewayState, { id, title }: Session, wanted: string): void {
  const name = wanted.trim();
  if (name !== "" && name !== title) void sessions.rename(id, name).catch(toastError);
}

export function archiveSession(gateway: GatewayState, session: Session): void {
  leave(gateway, session);
  void gateway.sessions
    .archive(session.id)
    .then(() => {
      const run = (): void => unarchiveSession(gateway, session);
      toast({ text: t("sidebar.archived", { title: titleOf(session) }), action: { label: t("shell.undo"), run } });
    })
    .catch(toastError);
}

export function unarchiveSession({ sessions }: GatewayState, { id }: Session): void {
  void sessions.unarchive(id).catch(toastError);
}

/** It is gone from the list at once, and from the gateway when nobody has wanted it back. */
export function removeSession(gateway: GatewayState, session: Session): void {
  const { sessions } = gateway;
  leave(gateway, session);
  sessions.hide(session.id);
  toast({
    text: t("sidebar.removed", { title: titleOf(session) }),
    action: { label: t("shell.undo"), run: () => sessions.show(session.id) },
    onGone: () => void sessions.remove(session.id).catch(toastError),
  });
}

/** If it is the chat on the screen, the default chat takes its place. */
function leave(gateway: GatewayState, { id }: Session): void {
  const shown = route.peek();
  if (shown.name !== "chat") return;
  const home = gateway.hello.peek()?.sessionId ?? null;
  if (shown.session === id && id !== home) go({ name: "chat", session: null }, { replace: true });
}
