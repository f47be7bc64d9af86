// The report of one picture in few colours.

import { chart, tipOn } from "./chart.js";
import { startCopying } from "./copy.js";
import { byId, readData, short } from "./dom.js";
import { showHistory } from "./history.js";
import { hintOverflow } from "./overflow.js";
import { startTheme } from "./theme.js";

const data = readData("page-data");

/** Left of the slider is the original. */
function startSlider() {
  const slider = byId("cut");
  const move = () => {
    byId("compare").style.setProperty("--cut", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", `${slider.value} per cent original`);
  };
  slider.addEventListener("input", move);
  move();
}

function showCurve() {
  const chosen = data.curve.filter(({ n }) => n === data.chosen);
  const title = ({ n, error }) => `${n} colours\n${short(error)}`;
  // The axis is logarithmic, and has no place for zero.
  const drawn = data.curve.filter(({ error }) => error > 0);
  chart(
    byId("curve-chart"),
    () => ({
      marginLeft: 72,
      x: { type: "log", base: 2, label: "colours", ticks: drawn.map(({ n }) => n), tickFormat: String },
      y: { type: "log", label: "mean squared distance", grid: true, tickFormat: "~e" },
      marks: [
        Plot.line(drawn, { x: "n", y: "error", stroke: "var(--muted)" }),
        Plot.dot(drawn, { x: "n", y: "error", fill: "var(--accent)", r: 4 }),
        Plot.dot(chosen, { x: "n", y: "error", stroke: "var(--ink)", r: 9, strokeWidth: 2 }),
        tipOn(drawn, { x: "n", y: "error", title }, Plot.pointerX),
      ],
    }),
    `Error against the number of colours, from ${short(data.curve[0].error)} at ${data.curve[0].n} to ${short(data.curve.at(-1).error)} at ${data.curve.at(-1).n}`,
  );
}

startTheme(byId("look"));
hintOverflow(".scroll");
startCopying();
startSlider();
if (byId("curve-chart")) {
  showCurve();
}
if (byId("history-chart")) {
  showHistory(byId("history-chart"), data.history, {
    name: "mean squared distance",
    halfSteps: true,
    tickFormat: "~e",
  });
}
