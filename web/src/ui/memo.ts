/** A component that is drawn anew only when something that it is given is another thing. */

import { Component, h, type ComponentChildren, type ComponentType } from "preact";

export function memo<Given extends object>(of: ComponentType<Given>): ComponentType<Given> {
  return class Memo extends Component<Given> {
    override shouldComponentUpdate(next: Readonly<Given>): boolean {
      const before = this.props as Readonly<Record<string, unknown>>;
      const after = next as Readonly<Record<string, unknown>>;
      const names = new Set([...Object.keys(before), ...Object.keys(after)]);
      return [...names].some((name) => before[name] !== after[name]);
    }

    override render(): ComponentChildren {
      return h<Given>(of, this.props as Given);
    }
  };
}
