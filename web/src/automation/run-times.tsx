/** When something ran, and for how long. */

import type { JSX } from "preact";
import { duration, relative, wholeMoment } from "../app/dates.ts";
import type { Run } from "../gateway/shapes.ts";

export function Moment({ at }: { at: number }): JSX.Element {
  return (
    <time dateTime={new Date(at * 1000).toISOString()} title={wholeMoment(at)}>
      {relative(at)}
    </time>
  );
}

type Times = Pick<Run, "createdAt" | "startedAt" | "durationS">;

export function RunTimes({ run }: { run: Times }): JSX.Element {
  return (
    <>
      <Moment at={run.startedAt ?? run.createdAt} />
      {run.durationS !== null && <span>{duration(run.durationS)}</span>}
    </>
  );
}
