/** What a connection needs of the page around it. Tests bring their own. */

export interface Surroundings {
  openSocket: (url: string) => WebSocket;
  /** Whether the device says that it has a network; it may be wrong. */
  hasNetwork: () => boolean;
  /** Calls `wake` whenever a lost connection may well be there again. Returns what ends that. */
  onWake: (wake: () => void) => () => void;
}

export const browser: Surroundings = {
  openSocket: (url) => new WebSocket(url),
  hasNetwork: () => navigator.onLine,
  onWake: (wake) => {
    const whenVisible = (): void => {
      if (document.visibilityState === "visible") wake();
    };
    window.addEventListener("online", wake);
    window.addEventListener("pageshow", wake);
    document.addEventListener("visibilitychange", whenVisible);
    return () => {
      window.removeEventListener("online", wake);
      window.removeEventListener("pageshow", wake);
      document.removeEventListener("visibilitychange", whenVisible);
    };
  },
};
