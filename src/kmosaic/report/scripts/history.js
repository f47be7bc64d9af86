// The course of a fit: J after every half step, or the mean squared distance of every batch.

import { chart, tipOn, wholeNumbers } from "./chart.js";
import { counted, make, short } from "./dom.js";

const FLAT = 1e-3; // of the highest value: less is no course to draw

/**
 * Draws `history` into `host`, or says in words that it starts where it ends. `rounds`, where a fit had several,
 * has of each how many entries are its and what to write at its start.
 */
export function showHistory(host, history, { name, halfSteps = true, rounds = [], tickFormat = "~s" }) {
  const starts = startsOf(rounds.length > 0 ? rounds : [[history.length, ""]], halfSteps);
  const dots = starts.flatMap(({ at, first, n, round }) =>
    history.slice(first, first + n).map((J, i) => ({
      at: at + (halfSteps ? i / 2 : i),
      J,
      round,
      kind: i % 2 === 0 ? "assignment step" : "update step",
    })),
  );
  const [low, high] = d3.extent(history);
  if (history.length === 1 || high - low < FLAT * high) {
    host.replaceChildren(make("p", {}, inWords(history, name, dots.at(-1).at, halfSteps)));
    return;
  }
  const words = (dot) =>
    halfSteps ? `iteration ${Math.floor(dot.at)}, ${dot.kind}` : `batch ${dot.at.toLocaleString("en")}`;
  chart(
    host,
    (width) => ({
      x: { label: halfSteps ? "iteration" : "batch", tickFormat: "d", ticks: wholeNumbers(dots.at(-1).at) },
      y: { label: name, grid: true, tickFormat },
      marginTop: starts.length > 1 ? 40 : 20,
      marks: [
        ...roundMarks(starts, width, dots.at(-1).at),
        Plot.lineY(dots, { x: "at", y: "J", z: "round", stroke: "var(--accent)", strokeWidth: 1.5 }),
        Plot.dot(dots, {
          x: "at",
          y: "J",
          r: dots.length > 80 ? 1.5 : 3,
          symbol: halfSteps ? "kind" : undefined,
          fill: "var(--accent)",
        }),
        tipOn(dots, { x: "at", y: "J", title: (dot) => `${words(dot)}\n${short(dot.J)}` }, Plot.pointerX),
      ],
    }),
    `${name} from ${short(history[0])} to ${short(history.at(-1))}`,
  );
}

/** What there is to say of a course that starts where it ends. */
function inWords(history, name, last, halfSteps) {
  const steps = counted(Math.floor(last), halfSteps ? "iteration" : "batch");
  const [first, end] = [short(history[0]), short(history.at(-1))];
  const course = first === end ? `${end} from the first step on` : `from ${first} to ${end}`;
  return `The fit started where it ended: ${name}, ${course}, less than 0.1% apart, in ${steps}.`;
}

/** Where each round begins: its first iteration, and its first entry of the history. */
function startsOf(rounds, halfSteps) {
  const starts = [];
  let at = 1;
  let first = 0;
  for (const [round, [n, text]] of rounds.entries()) {
    starts.push({ at, first, n, round, text });
    at += halfSteps ? (n + 1) / 2 : n;
    first += n;
  }
  return starts;
}

/** A line at the start of each round, and its text where it has room beside the one before. */
function roundMarks(starts, width, last) {
  if (starts.length < 2) {
    return [];
  }
  const place = (start) => (start.at / last) * width;
  const shown = [];
  for (const start of starts) {
    const before = shown.at(-1);
    if (before === undefined || place(start) - place(before) > 11 * String(before.text).length) {
      shown.push(start);
    }
  }
  return [
    Plot.ruleX(starts, { x: "at", stroke: "var(--beside)", strokeDasharray: "3 4" }),
    Plot.text(shown, {
      x: "at",
      text: "text",
      frameAnchor: "top",
      textAnchor: "start",
      dx: 3,
      dy: -9,
      fill: "var(--beside)",
    }),
  ];
}
