/** Dasselbe auf Deutsch. */

import type { Catalogue } from "./catalogue.ts";
import { approvals } from "./de/approvals.ts";
import { automation } from "./de/automation.ts";
import { composer } from "./de/composer.ts";
import { conversation } from "./de/conversation.ts";
import { core } from "./de/core.ts";
import { markdown } from "./de/markdown.ts";
import { notifications } from "./de/notifications.ts";
import { settings } from "./de/settings.ts";
import { shell } from "./de/shell.ts";
import { sidebar } from "./de/sidebar.ts";

export const de: Catalogue = {
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
};
