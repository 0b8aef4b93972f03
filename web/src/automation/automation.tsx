/** What agents do without being asked each time: tasks, cron jobs, webhooks. */

import type { JSX } from "preact";
import type { AutomationTab } from "../app/router.ts";
import { CronJobPage } from "./cron-job.tsx";
import { CronList, NewCronJob } from "./cron.tsx";
import { TaskPage } from "./task.tsx";
import { NewTask, TaskList } from "./tasks.tsx";
import { WebhookPage } from "./webhook.tsx";
import { NewWebhook, WebhookList } from "./webhooks.tsx";

const LISTS = { tasks: TaskList, cron: CronList, webhooks: WebhookList };
const NEW = { tasks: NewTask, cron: NewCronJob, webhooks: NewWebhook };
const PAGES = { tasks: TaskPage, cron: CronJobPage, webhooks: WebhookPage };

export function Automation({ tab, id }: { tab: AutomationTab; id: string | null }): JSX.Element {
  if (id === null) {
    const List = LISTS[tab];
    return <List />;
  }
  if (id === "new") {
    const New = NEW[tab];
    return <New />;
  }
  const Page = PAGES[tab];
  return <Page key={id} id={id} />;
}
