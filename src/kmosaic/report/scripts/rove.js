// One stop for the Tab key among many buttons: arrow keys go from one to the next.

/** Lets arrow keys, Home and End move the focus among the buttons in `host`, laid out in lines of any length. */
export function rove(host) {
  host.dataset.rove = "";
  const isMine = (event) => event.target.closest("[data-rove]") === host; // and not of one within
  host.addEventListener("keydown", (event) => {
    if (!isMine(event)) {
      return;
    }
    const buttons = buttonsOf(host);
    const at = buttons.indexOf(document.activeElement);
    const next = at < 0 ? null : target(buttons, at, event.key);
    if (next !== null) {
      event.preventDefault();
      hold(host, buttons[next]);
      buttons[next].focus();
    }
  });
  host.addEventListener("focusin", (event) => {
    const button = event.target.closest("button");
    if (button && isMine(event)) {
      hold(host, button);
    }
  });
}

/** Makes `button`, by default the first, the one that Tab stops at. */
export function hold(host, button = buttonsOf(host)[0]) {
  for (const other of host.querySelectorAll("button")) {
    other.tabIndex = other === button ? 0 : -1;
  }
}

function buttonsOf(host) {
  return [...host.querySelectorAll("button")].filter((button) => !button.hidden);
}

function target(buttons, at, key) {
  switch (key) {
    case "ArrowRight":
      return Math.min(at + 1, buttons.length - 1);
    case "ArrowLeft":
      return Math.max(at - 1, 0);
    case "Home":
      return 0;
    case "End":
      return buttons.length - 1;
    case "ArrowDown":
      return beyond(buttons, at, 1);
    case "ArrowUp":
      return beyond(buttons, at, -1);
    default:
      return null;
  }
}

/** The button of the next line, above or below, that is nearest across. */
function beyond(buttons, at, direction) {
  const from = buttons[at].getBoundingClientRect();
  let best = at;
  let least = Number.POSITIVE_INFINITY;
  buttons.forEach((button, i) => {
    const place = button.getBoundingClientRect();
    const down = (place.top - from.top) * direction;
    if (down > from.height / 2) {
      const far = 4 * down + Math.abs(place.left - from.left);
      if (far < least) {
        least = far;
        best = i;
      }
    }
  });
  return best;
}
