/** The worker itself: `sw.js` beside the page. */

import type { WorkerScope } from "./scope.ts";
import { work } from "./worker.ts";

/** Filled in by the build. */
declare const SHELL: { readonly version: string; readonly files: readonly string[] };

work(self as unknown as WorkerScope, SHELL);
