// The report of a sweep: its curves, and the fits with each number of clusters.

import { chart, onMark, tipOn } from "./chart.js";
import { startCopying } from "./copy.js";
import { byId, counted, make, makeSelect, readData, short } from "./dom.js";
import { hintOverflow } from "./overflow.js";
import { Sheet } from "./sheet.js";
import { startTheme } from "./theme.js";

const SCORES = [
  ["accuracy_test", "accuracy, test", "circle"],
  ["accuracy_train", "accuracy, training", "square"],
  ["homogeneity", "homogeneity", "triangle"],
  ["stability", "stability", "diamond2"],
  ["silhouette", "silhouette", "star"],
];
const COLUMNS = [
  ["seed", "Seed", String],
  ["inertia_scaled", "Inertia J", short],
  ["homogeneity", "Homogeneity", fixed],
  ["accuracy_train", "Accuracy, training", fixed],
  ["accuracy_test", "Accuracy, test", fixed],
  ["stability", "Stability", fixed],
  ["silhouette", "Silhouette", fixed],
  ["n_iter", "Iterations", String],
  ["fit_seconds", "Seconds", short],
];

const data = readData("page-data");
const numbers = [...new Set(data.runs.map((run) => run.n_clusters))].sort((a, b) => a - b);
const choice = makeSelect(
  "Number of clusters",
  numbers.map((k) => [String(k), k === data.recommended ? `${k}, recommended` : String(k)]),
  String(data.recommended),
  (k) => choose(Number(k)),
);

function fixed(value) {
  return value.toFixed(3);
}

function measured(key) {
  return data.runs.some((run) => run[key] !== null);
}

/** For each number of clusters the mean, least and most of a column over its seeds. */
function spreads(key, name, symbol, colour) {
  return numbers.flatMap((k) => {
    const values = data.runs
      .filter((run) => run.n_clusters === k && run[key] !== null)
      .map((run) => run[key]);
    return values.length
      ? [
          {
            k,
            name,
            symbol,
            colour,
            mean: d3.mean(values),
            low: d3.min(values),
            high: d3.max(values),
            n: values.length,
          },
        ]
      : [];
  });
}

function lines(hostId, series, options, label) {
  const dots = series.flat();
  const host = byId(hostId);
  const title = (dot) =>
    `${counted(dot.k, "cluster")}\n${dot.name} ${short(dot.mean)}${dot.low === dot.high ? "" : `\nfrom ${short(dot.low)} to ${short(dot.high)} over ${dot.n} seeds`}`;
  chart(
    host,
    () => ({
      marginRight: series.length > 1 ? 116 : 24,
      x: { label: "clusters", type: "log", ticks: numbers, tickFormat: "d" },
      ...options,
      marks: [
        Plot.ruleX([data.recommended], { stroke: "var(--beside)", strokeDasharray: "5 4" }),
        Plot.areaY(dots, { x: "k", y1: "low", y2: "high", z: "name", fill: "colour", fillOpacity: 0.18 }),
        Plot.lineY(dots, { x: "k", y: "mean", z: "name", stroke: "colour", strokeWidth: 2 }),
        Plot.dot(dots, { x: "k", y: "mean", symbol: "symbol", fill: "colour", r: 4 }),
        ...(options.more ?? []),
        ...(series.length > 1
          ? [
              Plot.text(spaced(series), {
                x: "k",
                y: "at",
                text: "name",
                fill: "colour",
                dx: 9,
                textAnchor: "start",
              }),
            ]
          : []),
        tipOn(dots, { x: "k", y: "mean", title }),
      ],
    }),
    `${label}: ${series.map((line) => `${line[0].name} from ${short(line[0].mean)} to ${short(line.at(-1).mean)}`).join("; ")}`,
  );
  onMark(host, (dot) => choose(dot.k));
}

/** Where the names of lines go: at their ends, but not upon each other. */
function spaced(series) {
  const ends = d3.sort(
    series.map((line) => ({ ...line.at(-1), at: line.at(-1).mean })),
    (end) => end.at,
  );
  for (let i = 1; i < ends.length; i += 1) {
    ends[i].at = Math.max(ends[i].at, ends[i - 1].at + 0.065);
  }
  return ends;
}

function choose(k) {
  choice.select.value = String(k);
  const runs = data.runs.filter((run) => run.n_clusters === k);
  const columns = COLUMNS.filter(([key]) => measured(key));
  byId("k-title").textContent =
    `${counted(k, "cluster")}${k === data.recommended ? ", the number recommended" : ""}`;
  byId("k-head").replaceChildren(...columns.map(([, name]) => make("th", { scope: "col" }, name)));
  byId("k-body").replaceChildren(
    ...runs.map((run) =>
      make(
        "tr",
        {},
        ...columns.map(([key, , write]) => make("td", {}, run[key] === null ? "-" : write(run[key]))),
      ),
    ),
  );
  const mosaic = data.mosaics[k];
  if (mosaic) {
    const tiles = new Sheet(mosaic.sheet);
    byId("k-words").textContent =
      `${data.pictured}s of the clusters, from the fit with the lowest J, seed ${mosaic.seed}; the fullest clusters first.`;
    byId("k-mosaic").replaceChildren(
      ...mosaic.sizes.map((size, i) =>
        tiles.tile(i, `${data.pictured} of cluster ${mosaic.clusters[i]}, ${counted(size, "image")}`),
      ),
    );
  }
}

function besideMarks(key) {
  const known = data.beside.filter(
    (row) => numbers.includes(row.n_clusters) && row[key] !== null && row[key] !== undefined,
  );
  const title = (row) => `starting document\n${counted(row.n_clusters, "cluster")}: ${short(row[key])}`;
  return known.length
    ? [
        Plot.dot(known, {
          x: "n_clusters",
          y: key,
          symbol: "times",
          stroke: "var(--beside)",
          strokeWidth: 2,
          r: 5,
          title,
          tip: { fill: "var(--paper)" },
        }),
      ]
    : [];
}

startTheme(byId("look"));
hintOverflow(".scroll");
startCopying();
byId("k-choice").append(choice.element);
lines(
  "inertia-chart",
  [spreads("inertia_scaled", "J", "circle", "var(--c0)")],
  { y: { label: `J, ${data.units}`, grid: true, tickFormat: "~s" }, more: besideMarks("inertia") },
  "Inertia against number of clusters",
);
const shown = SCORES.filter(([key]) => measured(key)).map(([key, name, symbol], i) =>
  spreads(key, name, symbol, `var(--c${i})`),
);
if (shown.length > 0) {
  lines(
    "scores-chart",
    shown,
    {
      y: {
        label: "score",
        grid: true,
        domain: [
          Math.min(
            0,
            d3.min(shown.flat(), (dot) => dot.low),
          ),
          1,
        ],
      },
    },
    "Scores against number of clusters",
  );
}
lines(
  "time-chart",
  [spreads("fit_seconds", "seconds", "circle", "var(--c0)")],
  { y: { label: "seconds", grid: true, zero: true } },
  "Fit time against number of clusters",
);
choose(data.recommended);
