// The map: clusters where their centroids lie in two dimensions, over a sample of the images.

import { byId, counted, make, makeSvg } from "./dom.js";
import { hold, rove } from "./rove.js";

const SMALLEST = 2.6; // side of a thumbnail, in per cent of the map's width
const LARGEST = 7.5;
const DOT = 1.4; // without pictures
const MARGIN_SHARE = 0.06;
const UNITS_ACROSS = 100; // of the drawing; the page gives it this shape
const UNITS_UP = 75;

/** Thumbnails in the plane; `onchoose(place)` is called with the one pressed. */
export class ClusterMap {
  constructor(data, names, sheet, onchoose) {
    this.host = byId("cluster-map");
    const places = data.clusters.map(({ place }) => place);
    const x = scaleOver([...places, ...data.points], 0, [0, UNITS_ACROSS]);
    const y = scaleOver([...places, ...data.points], 1, [UNITS_UP, 0]);
    const dots = data.points.map((point) => makeSvg("circle", { cx: x(point[0]), cy: y(point[1]), r: 0.3 }));
    const sides = d3.scaleSqrt(
      [0, d3.max(data.clusters, ({ size }) => size)],
      [sheet.isEmpty ? DOT : SMALLEST, sideFor(data.clusters.length)],
    );
    // The largest first: small ones then lie on top of them.
    const order = d3
      .range(data.clusters.length)
      .sort((a, b) => data.clusters[b].size - data.clusters[a].size);
    this.buttons = [];
    for (const at of order) {
      const { cluster, size, place } = data.clusters[at];
      const button = make(
        "button",
        { type: "button", class: "cell", "aria-pressed": "false", onclick: () => onchoose(at) },
        sheet.tile(at, ""),
      );
      button.style.left = `${x(place[0])}%`;
      button.style.top = `${(100 * y(place[1])) / UNITS_UP}%`;
      button.style.width = `${sides(size)}%`;
      button.setTitle = () => {
        button.title = `${names.described(cluster)}, ${counted(size, data.what)}`;
        button.setAttribute("aria-label", button.title);
      };
      button.setTitle();
      this.buttons[at] = button;
    }
    names.listeners.push((number) =>
      this.buttons[data.clusters.findIndex(({ cluster }) => cluster === number)].setTitle(),
    );
    this.host.append(
      makeSvg("svg", { viewBox: `0 0 ${UNITS_ACROSS} ${UNITS_UP}`, "aria-hidden": "true" }, ...dots),
      ...order.map((at) => this.buttons[at]),
    );
    rove(this.host);
    hold(this.host);
  }

  mark(at) {
    for (const [other, button] of this.buttons.entries()) {
      button.setAttribute("aria-pressed", String(other === at));
    }
  }
}

function scaleOver(places, axis, [start, end]) {
  const [low, high] = d3.extent(places, (place) => place[axis]);
  const margin = MARGIN_SHARE * (end - start);
  return d3.scaleLinear([low, high === low ? low + 1 : high], [start + margin, end - margin]);
}

/** The more clusters, the smaller the largest thumbnail. */
function sideFor(n) {
  return Math.max(SMALLEST, Math.min(LARGEST, 60 / Math.sqrt(n)));
}
