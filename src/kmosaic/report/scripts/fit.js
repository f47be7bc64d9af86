// The report of one fit.

import { chart, onMark, tipOn } from "./chart.js";
import { startConfusion } from "./confusion.js";
import { startCopying } from "./copy.js";
import { Detail } from "./detail.js";
import { byId, counted, readData } from "./dom.js";
import { showHistory } from "./history.js";
import { ClusterMap } from "./map.js";
import { Mosaic } from "./mosaic.js";
import { Names } from "./names.js";
import { hintOverflow } from "./overflow.js";
import { Sheet } from "./sheet.js";
import { startTheme } from "./theme.js";
import { Viewer } from "./viewer.js";

const NARROW = 704; // pixels; where the detail lies below the mosaic

const data = readData("page-data");
const names = new Names(data);
const sheet = new Sheet(data.centroids);
const viewer = new Viewer(data, names);
const detail = new Detail(data, { names, viewer, sheet, onchoose: choose });
const mosaic = new Mosaic(data, names, sheet, choose);
const map = new ClusterMap(data, names, sheet, chooseFromAfar);

function choose(at) {
  detail.show(at);
  mosaic.mark(at);
  map.mark(at);
  if (innerWidth < NARROW && document.activeElement !== document.body) {
    byId("cluster-detail").scrollIntoView({ block: "start" });
  }
}

/** From another part of the page the chosen cluster has to be brought into view. */
function chooseFromAfar(at) {
  choose(at);
  byId("cluster-detail").scrollIntoView({ block: "nearest" });
  byId("cluster-detail").focus({ preventScroll: true });
}

function showSizes() {
  const bars = d3
    .sort(data.clusters, (cluster) => -cluster.size)
    .map((cluster, rank) => ({ ...cluster, rank }));
  const title = (bar) =>
    `${names.described(bar.cluster)}\n${counted(bar.size, data.what)}${bar.purity === null ? "" : `\npurity ${(100 * bar.purity).toFixed(1)}%`}`;
  const hasPurity = bars.some(({ purity }) => purity !== null);
  const least = data.label_names.length > 1 ? 1 / data.label_names.length : 0;
  const host = byId("sizes-chart");
  chart(
    host,
    () => ({
      x: { label: "clusters, the largest first", axis: null, padding: bars.length > 60 ? 0 : 0.15 },
      y: { label: `${data.what}s`, grid: true },
      color: hasPurity
        ? { scheme: "cividis", domain: [least, 1], legend: true, label: "purity", tickFormat: ".0%" }
        : {},
      marginBottom: 12,
      marks: [
        Plot.barY(bars, {
          x: "rank",
          y: "size",
          fill: hasPurity ? (bar) => bar.purity ?? least : "var(--accent)",
          stroke: "var(--muted)",
          strokeWidth: bars.length > 60 ? 0 : 0.7,
        }),
        Plot.ruleY([d3.mean(bars, ({ size }) => size)], { stroke: "var(--muted)", strokeDasharray: "4 3" }),
        tipOn(bars, { x: "rank", y: "size", title }, Plot.pointerX),
      ],
    }),
    `Sizes of ${counted(bars.length, "cluster")}, from ${bars[0].size} to ${bars.at(-1).size} ${data.what}s`,
  );
  onMark(host, (bar) => chooseFromAfar(data.clusters.findIndex(({ cluster }) => cluster === bar.cluster)));
}

startTheme(byId("look"));
hintOverflow(".scroll");
startCopying();
choose(d3.greatestIndex(data.clusters, ({ size }) => size));
if (data.confusion) {
  startConfusion(data, viewer);
}
showSizes();
if (data.history.length > 0) {
  showHistory(byId("history-chart"), data.history, {
    name: data.half_steps ? `J, ${data.inertia_units}` : "mean squared distance",
    halfSteps: data.half_steps,
  });
}
