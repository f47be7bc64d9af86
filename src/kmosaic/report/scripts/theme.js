// The switch between the light and the dark look; the reader's system decides until it is used.

import { make } from "./dom.js";

const LOOKS = [
  ["auto", "Look: as the system"],
  ["light", "Look: light"],
  ["dark", "Look: dark"],
];
const KEY = "kmosaic-look";

/** Puts the switch into `host`, and the remembered look into force. */
export function startTheme(host) {
  let at = Math.max(
    0,
    LOOKS.findIndex(([name]) => name === remembered()),
  );
  const button = make("button", {
    type: "button",
    class: "look",
    onclick: () => apply((at + 1) % LOOKS.length),
  });
  host.append(button);
  apply(at);

  function apply(next) {
    at = next;
    const [name, text] = LOOKS[at];
    document.documentElement.dataset.look = name;
    button.textContent = text;
    remember(name);
  }
}

// Browsers may forbid storage to pages opened from a file.
function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function remember(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // The look then lasts as long as the page.
  }
}
