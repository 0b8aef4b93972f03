/* Marks the page where the browser lacks what it needs, before it starts. Old browsers run this, too: it is written as in 1999. */
(function () {
  function has(test) {
    try {
      return !!test();
    } catch (error) {
      return false;
    }
  }
  var needed = [
    function () {
      return "noModule" in document.createElement("script") && window.WebSocket && window.BigInt;
    },
    function () {
      return window.crypto.getRandomValues && window.structuredClone && URL.canParse && [].findLast;
    },
    function () {
      return window.Intl.PluralRules && window.Intl.RelativeTimeFormat && window.ResizeObserver;
    },
    function () {
      return window.HTMLDialogElement && "popover" in HTMLElement.prototype;
    },
    function () {
      return CSS.supports("color", "light-dark(#000, #fff)") && CSS.supports("selector(:has(a))");
    },
  ];
  for (var at = 0; at < needed.length; at++) {
    if (!has(needed[at])) document.documentElement.setAttribute("data-old-browser", "");
  }
})();
