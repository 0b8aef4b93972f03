/**
 * Everything that people read, in English, a file for each part of the page. `{name}` is filled in; with `{count}` there is a
 * form for each number.
 */

import { approvals } from "./en/approvals.ts";
import { automation } from "./en/automation.ts";
import { composer } from "./en/composer.ts";
import { conversation } from "./en/conversation.ts";
import { core } from "./en/core.ts";
import { markdown } from "./en/markdown.ts";
import { notifications } from "./en/notifications.ts";
import { settings } from "./en/settings.ts";
import { shell } from "./en/shell.ts";
import { sidebar } from "./en/sidebar.ts";

export const en = {
  ...core,
  ...shell,
  ...conversation,
  ...markdown,
  ...composer,
  ...sidebar,
  ...approvals,
  ...notifications,
  ...automation,
  ...settings,
} as const;
