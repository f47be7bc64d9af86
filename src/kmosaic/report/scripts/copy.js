// A button beside each line of code that copies it.

import { make } from "./dom.js";

const SHOWN_MS = 1500;

export function startCopying() {
  for (const code of document.querySelectorAll("code.copied")) {
    const button = make(
      "button",
      { type: "button", class: "copy", "aria-label": "Copy the command" },
      "Copy",
    );
    button.addEventListener("click", async () => {
      button.textContent = (await copied(code)) ? "Copied" : "Selected: press Ctrl+C";
      setTimeout(() => {
        button.textContent = "Copy";
      }, SHOWN_MS);
    });
    code.after(button);
  }
}

/** Copies the text, or selects it where a browser lets no page opened from a file touch the clipboard. */
async function copied(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return false;
  }
}
