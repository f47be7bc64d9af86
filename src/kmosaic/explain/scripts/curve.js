// J after every half-step: a curve that never rises.

import { chart, tipOn, wholeNumbers } from "../../report/scripts/chart.js";
import { short } from "../../report/scripts/dom.js";

/** The curve of one run in `host`; `show(steps, at)` draws it with step `at` marked. */
export class InertiaCurve {
  constructor(host) {
    this.redraw = chart(host, () => ({}), "J after every half-step");
  }

  show(steps, at) {
    const dots = steps
      .map((step, i) => ({
        at: i,
        J: step.inertia,
        kind: step.kind === "assign" ? "assignment step" : "update step",
      }))
      .filter((dot) => dot.J !== null);
    const now = dots.filter((dot) => dot.at === at);
    const past = dots.filter((dot) => dot.at <= at);
    this.redraw(
      () => ({
        height: 240,
        x: {
          label: "half-step",
          ticks: wholeNumbers(dots.length),
          tickFormat: "d",
          domain: [1, Math.max(2, dots.length)],
        },
        y: { label: "J", grid: true, zero: true, tickFormat: "~s", nice: true },
        symbol: { domain: ["assignment step", "update step"], range: ["circle", "diamond"] },
        marks: [
          Plot.ruleY([0], { stroke: "var(--muted)" }),
          Plot.lineY(dots, { x: "at", y: "J", stroke: "var(--rule)" }),
          Plot.lineY(past, { x: "at", y: "J", stroke: "var(--accent)", strokeWidth: 2 }),
          Plot.dot(dots, {
            x: "at",
            y: "J",
            symbol: "kind",
            r: 4,
            fill: "var(--paper)",
            stroke: "var(--muted)",
          }),
          Plot.dot(past, { x: "at", y: "J", symbol: "kind", r: 4, fill: "var(--accent)" }),
          Plot.dot(now, {
            x: "at",
            y: "J",
            symbol: "kind",
            r: 8,
            fill: "none",
            stroke: "var(--beside)",
            strokeWidth: 2.5,
          }),
          tipOn(dots, {
            x: "at",
            y: "J",
            title: (dot) => `half-step ${dot.at}, ${dot.kind}\nJ = ${short(dot.J)}`,
            stroke: "var(--rule)",
          }),
        ],
      }),
      dots.length
        ? `J falls from ${short(dots[0].J)} to ${short(dots[dots.length - 1].J)} in ${dots.length} half-steps`
        : "no J yet",
    );
  }
}

/** Says in one sentence what step `at` of `steps` did. */
export function stepWords(steps, at) {
  const step = steps[at];
  const where = `Step ${at} of ${steps.length - 1}.`;
  if (step.kind === "start") {
    return `${where} The start: no point has a cluster yet, so all are grey.`;
  }
  const before = steps[at - 1];
  const what =
    step.kind === "assign"
      ? assignmentWords(step, before, at === steps.length - 1)
      : updateWords(step, before);
  return `${where} ${what} ${fallWords(before.inertia, step.inertia)}`;
}

function assignmentWords(step, before, isEnd) {
  const kind = "Assignment step, centroids held fixed:";
  if (isEnd) {
    return `${kind} no point changes its cluster: this is the end.`;
  }
  if (before.labels === null) {
    return `${kind} each point joins its nearest centroid.`;
  }
  const moved = step.labels.filter((label, i) => step.ids[label] !== before.ids[before.labels[i]]).length;
  return `${kind} ${moved} ${moved === 1 ? "point changes its" : "points change their"} cluster.`;
}

function updateWords(step, before) {
  const filled = step.filled.map((j) => step.ids[j] + 1);
  const gone = before.ids.filter((id) => !step.ids.includes(id)).map((id) => id + 1);
  const words = ["Update step, clusters held fixed: each centroid moves to the mean of its points."];
  if (filled.length > 0) {
    words.push(`Cluster ${filled.join(", ")} had no points and is given one.`);
  }
  if (gone.length > 0) {
    words.push(`Cluster ${gone.join(", ")} had no points and is dropped.`);
  }
  return words.join(" ");
}

function fallWords(from, to) {
  if (from === null) {
    return `J is ${short(to)}.`;
  }
  return from === to ? `J stays at ${short(to)}.` : `J falls from ${short(from)} to ${short(to)}.`;
}
