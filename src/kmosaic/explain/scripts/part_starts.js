// Part 2: where it starts matters.

import { chart, tipOn } from "../../report/scripts/chart.js";
import { byId, makeSelect, short } from "../../report/scripts/dom.js";
import { run } from "./kmeans.js";
import { Player } from "./player.js";
import { scatterAt } from "./scatter.js";
import { playTogether } from "./together.js";

const LARGEST_RADIUS = 10;
const SMALLEST_RADIUS = 1.2;

export function startStarts(starts) {
  showTwoStarts(starts);
  showPicks(starts);
  showRestarts(starts);
  showSpread(starts.spread);
}

function showTwoStarts({ points, columns, lucky, unlucky }) {
  const sides = [
    ["lucky", "Lucky start", lucky],
    ["unlucky", "Unlucky start", unlucky],
  ];
  const words = ({ inertia }) => (inertia === null ? "not begun" : `J = ${short(inertia)}`);
  playTogether("starts", "Both starts", sides, { points, columns, words });
}

function showPicks({ points, columns, picks }) {
  const scatter = scatterAt("picks-plane", {
    columns,
    label: "Points as large as their chance to be picked",
  });
  scatter.fit(points);
  const player = new Player(byId("picks-player"), {
    label: "Picks of k-means++",
    onshow: (at) => {
      const { squared } = picks[Math.min(at, picks.length - 1)];
      const most = squared === null ? 1 : Math.max(...squared);
      const radii = points.map((_, i) =>
        squared === null ? 4 : Math.max(SMALLEST_RADIUS, LARGEST_RADIUS * Math.sqrt(squared[i] / most)),
      );
      const chosen = picks.slice(0, at).map(({ row }) => points[row]);
      scatter.draw({ points, centroids: chosen, radii: at === picks.length ? points.map(() => 4) : radii });
      return pickWords(at, picks.length);
    },
  });
  player.load(picks.length + 1);
}

function pickWords(at, n) {
  if (at === 0) {
    return "The first centroid may be any point: all chances are equal.";
  }
  const picked = `${at} of ${n} picked.`;
  return at === n
    ? `${picked} k-means starts from here.`
    : `${picked} The larger a point, the likelier it is next: its area is its squared distance to the nearest pick.`;
}

function showRestarts({ points, columns, random, careful }) {
  const kinds = { random, careful };
  const names = { random: "random points", careful: "k-means++" };
  let kind = "random";
  const scatter = scatterAt("restarts-plane", { columns, label: "Where the chosen restart ends" });
  scatter.fit(points);
  const runs = Object.entries(kinds).flatMap(([key, { inertia }]) =>
    inertia.map((J) => ({ J, init: names[key] })),
  );
  const redraw = chart(byId("restarts-chart"), () => ({}), "");
  const player = new Player(byId("restarts-player"), { label: "Restarts", onshow: (at) => show(at) });
  const choice = makeSelect("Started from", Object.entries(names), kind, (key) => {
    kind = key;
    player.load(kinds[kind].inertia.length, kinds[kind].best);
  });
  byId("restarts-choice").append(choice.element);
  player.load(random.inertia.length, random.best);

  function show(at) {
    const { starts, inertia } = kinds[kind];
    const steps = run(points, starts[at]);
    const { centroids, labels, ids } = steps.at(-1);
    scatter.draw({ points, centroids, labels, ids });
    redraw(() => histogram(runs, { J: inertia[at], init: names[kind] }), restartsLabel(kinds, names));
    const nBest = inertia.filter((J) => J <= Math.min(...inertia) * 1.0001).length;
    return `Restart ${at + 1} of ${inertia.length} from ${names[kind]} ends at J = ${short(inertia[at])}. The best J is ${short(Math.min(...inertia))}, and ${nBest} of ${inertia.length} reach it.`;
  }
}

function histogram(runs, now) {
  return {
    height: 320,
    marginRight: 20,
    x: { label: "J at the end", nice: true },
    y: { label: "restarts", grid: true },
    fy: { axis: null, domain: ["random points", "k-means++"] },
    marks: [
      Plot.rectY(
        runs,
        Plot.binX(
          { y: "count" },
          { x: "J", fy: "init", fill: "var(--accent)", thresholds: 30, tip: { fill: "var(--paper)" } },
        ),
      ),
      Plot.ruleY([0], { stroke: "var(--muted)" }),
      Plot.tickX([now], { x: "J", fy: "init", stroke: "var(--beside)", strokeWidth: 3 }),
      Plot.text(["random points", "k-means++"], {
        fy: (name) => name,
        text: (name) => name,
        frameAnchor: "top-right",
        dy: 4,
        fontWeight: 600,
        fill: "currentColor",
      }),
    ],
  };
}

function restartsLabel(kinds, names) {
  const parts = Object.entries(kinds).map(
    ([key, { inertia }]) =>
      `${names[key]}: from ${short(Math.min(...inertia))} to ${short(Math.max(...inertia))}`,
  );
  return `Histogram of J at the end of a hundred restarts. ${parts.join("; ")}`;
}

function showSpread({ n_clusters, random, careful }) {
  const kinds = [
    { init: "random points", ends: random, colour: "var(--c1)" },
    { init: "k-means++", ends: careful, colour: "var(--c0)" },
  ];
  const dots = kinds.flatMap(({ init, ends, colour }) =>
    ends.map(([low, mean, high], i) => ({ K: n_clusters[i], low, mean, high, init, colour })),
  );
  const at = (dot) => ({ x: "K", y: dot });
  chart(
    byId("spread-chart"),
    () => ({
      height: 280,
      marginRight: 116,
      // Axes of "log" leave out the labels of some ticks, such as 9.
      x: { label: "clusters K", type: "symlog", ticks: n_clusters, tickFormat: "d" },
      y: { label: "J at the end, as a multiple of the best", grid: true, zero: true },
      marks: [
        Plot.ruleY([1], { stroke: "var(--muted)", strokeDasharray: "4 3" }),
        Plot.areaY(dots, { x: "K", y1: "low", y2: "high", z: "init", fill: "colour", fillOpacity: 0.22 }),
        Plot.lineY(dots, { ...at("mean"), z: "init", stroke: "colour", strokeWidth: 2 }),
        Plot.dot(dots, {
          ...at("mean"),
          fill: "colour",
          symbol: (dot) => (dot.init === "k-means++" ? "diamond" : "circle"),
          r: 5,
        }),
        Plot.text(
          dots.filter((dot) => dot.K === n_clusters.at(-1)),
          { ...at("mean"), text: "init", dx: 10, textAnchor: "start", fill: "colour", fontWeight: 600 },
        ),
        tipOn(dots, {
          ...at("mean"),
          title: (dot) =>
            `K = ${dot.K}, ${dot.init}\nmean ${dot.mean.toFixed(2)}, eight of ten from ${dot.low.toFixed(2)} to ${dot.high.toFixed(2)}`,
        }),
      ],
    }),
    `J of restarts as multiples of the best, eight of ten of them. ${kinds.map(({ init, ends }) => `From ${init}: ${ends.map(([low, , high], i) => `${low.toFixed(1)} to ${high.toFixed(1)} with ${n_clusters[i]} clusters`).join(", ")}`).join(". ")}`,
  );
}
