/** What agents do without being asked each time: tasks, cron jobs, webhooks. */

import type { JSX } from "preact";
import type { AutomationTab } from "../app/router.ts";

export function Automation({ tab }: { tab: AutomationTab; id: string | null }): JSX.Element {
  return <section>{tab}</section>;
}
