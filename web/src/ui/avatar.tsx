/** What an agent looks like. */

import type { JSX } from "preact";

export function Avatar({ agent, size = 28 }: { agent: string; size?: number }): JSX.Element {
  return (
    <span aria-hidden="true" style={{ width: `${size}px` }}>
      {agent.slice(0, 1)}
    </span>
  );
}
