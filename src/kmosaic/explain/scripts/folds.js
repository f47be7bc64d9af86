// The answers that are folded away: all opened or closed by one button, and opened while the page is printed.

import { make } from "../../report/scripts/dom.js";

/** Puts the button into `host`; it closes all once all are open, however they were opened. */
export function startFolds(host, selector) {
  const folds = [...document.querySelectorAll(selector)];
  const button = make("button", { type: "button", onclick: () => setAll(!allOpen()) });
  host.append(button);
  for (const fold of folds) {
    fold.addEventListener("toggle", name);
  }
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = folds.filter((fold) => !fold.open);
    setAll(true);
  });
  window.addEventListener("afterprint", () => {
    for (const fold of closed) {
      fold.open = false;
    }
  });
  name();

  function allOpen() {
    return folds.every((fold) => fold.open);
  }

  function setAll(open) {
    for (const fold of folds) {
      fold.open = open;
    }
    name();
  }

  function name() {
    button.textContent = allOpen() ? "Close all answers" : "Open all answers";
  }
}
