/** The worker itself: `sw.js` beside the page. */

import type { WorkerScope } from "./scope.ts";
import type { ShellOptions } from "./shell.ts";
import { work } from "./worker.ts";

/** Filled in by the build. */
declare const SHELL: Pick<ShellOptions, "version" | "files" | "entry">;

work(self as unknown as WorkerScope, SHELL);
