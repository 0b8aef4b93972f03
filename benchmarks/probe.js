// Runs in the page before anything of the page does. Notes when frames arrive, and what is on screen after each frame that is drawn.
(() => {
  const probe = { arrivals: [], seen: [], long: [] };
  globalThis.probe = probe;
  let arrived = 0;
  globalThis.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", () => (arrived = performance.now()));
    }
  };
  // A frame is decrypted and decoded in the task in which it arrives: then one can see which deltas it brings.
  globalThis.TextDecoder = class extends TextDecoder {
    decode(...given) {
      const text = super.decode(...given);
      if (text.includes('"text_delta"')) {
        for (const [, number] of text.matchAll(/#(\d+)#/g)) probe.arrivals.push([arrived, Number(number)]);
      }
      return text;
    }
  };
  const note = (entries) => probe.long.push(...entries.map(({ duration }) => duration));
  const tasks = new PerformanceObserver((list) => note(list.getEntries()));
  tasks.observe({ entryTypes: ["longtask"] });
  /** Wait until the page has nothing to do, and all that took long is noted. */
  const settled = async () => {
    await new Promise((then) => requestIdleCallback(then));
    note(tasks.takeRecords());
  };
  /** Says `text` in a second, when nobody watches. */
  probe.begin = async (text) => {
    await settled();
    setTimeout(() => {
      probe.arrivals.length = probe.seen.length = probe.long.length = 0;
      const box = document.querySelector("textarea");
      box.focus();
      document.execCommand("insertText", false, text);
      box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    }, 1000);
  };
  probe.end = async () => {
    await settled();
    return { arrivals: probe.arrivals, seen: probe.seen, long: probe.long };
  };

  let last = -1;
  const look = () => {
    const marker = newest();
    if (marker > last) probe.seen.push([performance.now(), (last = marker)]);
  };
  const watch = () => {
    // The task after the one that draws this frame: a plain message would queue behind the frames of the socket.
    void scheduler.postTask(look, { priority: "user-blocking" });
    requestAnimationFrame(watch);
  };
  requestAnimationFrame(watch);

  /** The number of the last delta whose text is there. */
  function newest() {
    const articles = document.querySelectorAll("article");
    let text = "";
    for (let at = articles.length - 1; at >= 0 && text === ""; at--) text = tail(articles[at]);
    const found = [...text.matchAll(/#(\d+)#/g)].at(-1);
    return found === undefined ? -1 : Number(found[1]);
  }

  /** Enough of the end of what an element says. */
  function tail(element) {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let text = "";
    for (let node = walker.lastChild() ?? null, deepest = node; deepest !== null; deepest = walker.previousNode()) {
      text = deepest.nodeValue + text;
      if (text.length > 400) break;
    }
    return text;
  }
})();
