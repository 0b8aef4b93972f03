/** A part of the page that failed says so in its place, and leaves the others alone. What went wrong is in the console. */

import { TriangleAlert } from "lucide";
import { Component, type ComponentChildren } from "preact";
import { t } from "../i18n/language.ts";
import { Button } from "./button.tsx";
import { Empty } from "./empty.tsx";

interface BoundaryGiven {
  /** What is shown in it: something else is tried anew after a failure. */
  readonly at: string;
  readonly children: ComponentChildren;
}

export class Boundary extends Component<BoundaryGiven, { readonly hasFailed: boolean }> {
  override state = { hasFailed: false };

  override componentDidCatch(error: unknown): void {
    this.setState({ hasFailed: true });
    reportError(error);
  }

  override componentDidUpdate(before: Readonly<BoundaryGiven>): void {
    if (before.at !== this.props.at && this.state.hasFailed) this.setState({ hasFailed: false });
  }

  override render({ children }: BoundaryGiven): ComponentChildren {
    if (!this.state.hasFailed) return children;
    return (
      <Empty icon={TriangleAlert} title={t("shell.failed")}>
        <p role="alert">{t("shell.failedHint")}</p>
        <Button onClick={() => location.reload()}>{t("shell.reload")}</Button>
      </Empty>
    );
  }
}
