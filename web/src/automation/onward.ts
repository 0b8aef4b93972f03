import { go, route, type Route } from "../app/router.ts";

/** Goes on from the screen that is shown now, unless somebody is on another one by then. */
export function onward(): (to: Route, options?: Parameters<typeof go>[1]) => void {
  const from = route.peek();
  return (to, options) => {
    if (route.peek() === from) go(to, options);
  };
}
