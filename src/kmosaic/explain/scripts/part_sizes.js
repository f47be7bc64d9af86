// Part 4: no clear groups, and what each person's misfit is.

import { chart } from "../../report/scripts/chart.js";
import { byId, counted, make, makeSelect, short } from "../../report/scripts/dom.js";
import { sizes } from "./kmeans.js";
import { scatterAt } from "./scatter.js";

const LETTERS = { 3: ["S", "M", "L"], 5: ["XS", "S", "M", "L", "XL"] };

export function startSizes(part) {
  const scatter = scatterAt("sizes-plane", {
    columns: part.columns,
    label: "People, and the sizes they are given",
  });
  const choice = makeSelect(
    "Sizes",
    [
      ["3", "3 sizes"],
      ["5", "5 sizes"],
    ],
    "3",
    (k) => show(k),
  );
  byId("sizes-choice").append(choice.element);
  scatter.fit(part.points);
  const redraw = chart(byId("sizes-chart"), () => ({}), "");
  show("3");
  part.units.forEach(showUnits);
  showStuck(part.stuck);

  function show(k) {
    const { centroids, labels, inertia, ids } = part.fits[k];
    scatter.draw({ points: part.points, centroids, labels, ids, lines: true });
    byId("sizes-table").replaceChildren(...sizeRows(centroids, labels, k));
    const misfit = part.misfit[k];
    const mean = d3.mean(misfit);
    byId("sizes-words").textContent =
      `With ${k} sizes J = ${short(inertia)} (cm² + kg²). The mean misfit is ${mean.toFixed(1)}, the worst served person's ${Math.max(...misfit).toFixed(1)}.`;
    redraw(
      () => misfitHistogram(part.misfit, k),
      `Histogram of misfit with ${k} sizes, mean ${mean.toFixed(1)}`,
    );
  }
}

function sizeRows(centroids, labels, k) {
  const counts = sizes(labels, centroids.length);
  const order = d3
    .range(centroids.length)
    .sort((a, b) => centroids[a][0] + centroids[a][1] - centroids[b][0] - centroids[b][1]);
  return order.map((j, at) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, `${LETTERS[k][at]} (${j + 1})`),
      ...[centroids[j][0].toFixed(0), centroids[j][1].toFixed(0), String(counts[j])].map((text) =>
        make("td", {}, text),
      ),
    ),
  );
}

function misfitHistogram(misfit, k) {
  const people = misfit[k].map((value) => ({ value }));
  return {
    height: 230,
    x: { label: "misfit: distance to one's size", domain: [0, Math.max(...misfit[3])], nice: true },
    y: { label: "people", grid: true },
    marks: [
      Plot.rectY(
        people,
        Plot.binX(
          { y: "count" },
          { x: "value", fill: "var(--accent)", thresholds: 20, tip: { fill: "var(--paper)" } },
        ),
      ),
      Plot.ruleX([d3.mean(misfit[k])], { stroke: "var(--beside)", strokeWidth: 2.5 }),
      Plot.ruleY([0], { stroke: "var(--muted)" }),
    ],
  };
}

function showUnits({ points, columns, title, end }, i) {
  byId(`units-${i}`).append(make("p", { class: "side" }, title));
  const scatter = scatterAt(`units-${i}`, {
    columns,
    label: `${title}: people, and the sizes they are given`,
  });
  scatter.fit(points);
  scatter.draw({ points, ...end });
}

function showStuck({ points, columns, five, three }) {
  for (const [name, end] of [
    ["five", five],
    ["three", three],
  ]) {
    const caption = make(
      "p",
      { class: "side" },
      `${counted(end.centroids.length, "cluster")}: J = ${short(end.inertia)}`,
    );
    byId(`stuck-${name}`).append(caption);
    const scatter = scatterAt(`stuck-${name}`, { columns, label: `The fit with ${name} clusters` });
    scatter.fit(points);
    scatter.draw({ points, ...end });
  }
}
