// The controls that go through steps: to the start, back, forward, play, to the end, and a slider.

import { make } from "../../report/scripts/dom.js";

const PACE_MS = 900;

/** Goes through steps 0 to n - 1; `onshow(at)` draws one and returns the words that say what it is. */
export class Player {
  constructor(host, { label, onshow }) {
    this.onshow = onshow;
    this.at = 0;
    this.n = 1;
    this.timer = null;
    this.words = make("p", { class: "words", role: "status", "aria-live": "polite" });
    this.slider = make("input", {
      type: "range",
      min: 0,
      value: 0,
      "aria-label": `${label}: step`,
      oninput: () => this.#jump(Number(this.slider.value)),
    });
    this.buttons = Object.fromEntries(
      [
        ["start", "Start", () => this.#jump(0)],
        ["back", "Back", () => this.#jump(this.at - 1)],
        ["forward", "Forward", () => this.#jump(this.at + 1)],
        ["play", "Play", () => (this.timer === null ? this.#play() : this.pause())],
        ["end", "End", () => this.#jump(this.n - 1)],
      ].map(([name, text, onclick]) => [
        name,
        make("button", { type: "button", "data-do": name, onclick }, text),
      ]),
    );
    const row = make(
      "div",
      { class: "buttons", role: "group", "aria-label": label },
      ...Object.values(this.buttons),
    );
    row.addEventListener("keydown", (event) => this.#key(event));
    host.append(row, this.slider, this.words);
  }

  /** Takes up another run of `n` steps, and shows step `at` of it. */
  load(n, at = 0) {
    this.pause();
    this.n = n;
    this.slider.max = n - 1;
    this.show(at);
  }

  show(at) {
    this.at = Math.min(this.n - 1, Math.max(0, at));
    this.slider.value = this.at;
    this.words.textContent = this.onshow(this.at);
    for (const [name, off] of [
      ["start", this.at === 0],
      ["back", this.at === 0],
      ["forward", this.at === this.n - 1],
      ["end", this.at === this.n - 1],
    ]) {
      this.buttons[name].setAttribute("aria-disabled", String(off));
    }
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.buttons.play.textContent = "Play";
  }

  #jump(at) {
    this.pause();
    this.show(at);
  }

  #play() {
    if (this.at === this.n - 1) {
      this.show(0);
    }
    this.buttons.play.textContent = "Pause";
    this.timer = setInterval(() => {
      this.show(this.at + 1);
      if (this.at === this.n - 1) {
        this.pause();
      }
    }, PACE_MS);
  }

  #key(event) {
    const moves = { ArrowLeft: this.at - 1, ArrowRight: this.at + 1, Home: 0, End: this.n - 1 };
    if (event.key in moves) {
      event.preventDefault();
      this.#jump(moves[event.key]);
    }
  }
}
