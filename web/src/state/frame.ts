/** When to show what has changed: with the next frame, or soon where no frames are drawn, as in a page in the background. */

export type Schedule = (show: () => void) => void;

const UNSEEN_MS = 250;

export const nextFrame: Schedule = (show) => {
  let isShown = false;
  const once = (): void => {
    if (isShown) return;
    isShown = true;
    clearTimeout(timer);
    cancelAnimationFrame(frame);
    show();
  };
  const timer = setTimeout(once, UNSEEN_MS);
  const frame = requestAnimationFrame(once);
};
