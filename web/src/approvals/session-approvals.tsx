/** What the agent of one session asks for, below its conversation. */

import type { JSX } from "preact";

export function SessionApprovals({ sessionId }: { sessionId: string }): JSX.Element | null {
  return sessionId === "" ? null : null;
}
