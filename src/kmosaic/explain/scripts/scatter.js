// A drawing of points and centroids. Clusters differ by colour and by shape, so that nobody needs the colours.

import { byId, make, makeSvg, short } from "../../report/scripts/dom.js";

const PLANE_WIDTH = 560;
const PLANE_HEIGHT = 430;
// The axes' names have lines of their own, above and below the numbers, also in the large letters of a phone.
const MARGIN = { right: 14, top: 36, bottom: 52 };
const NARROWEST_LEFT = 46;
const LETTER_WIDTH = 11.5; // of a figure in a phone's letters, in units of the drawing
const TICK_ROOM = 18;
const SHAPES = [
  d3.symbolCircle,
  d3.symbolSquare,
  d3.symbolTriangle,
  d3.symbolDiamond2,
  d3.symbolCross,
  d3.symbolStar,
  d3.symbolWye,
  d3.symbolTimes,
];
const N_COLOURS = SHAPES.length;
const N_TICKS = 6;
const LONGEST_PLAIN = 6; // letters of a number on an axis
const NUDGE = 0.02; // of the range, for each press of an arrow key
const UNLIKE_UNITS = 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

let nDrawings = 0;

export function clusterColour(id) {
  return `var(--c${id % N_COLOURS})`;
}

/** Points and centroids in a plane; `onedit`, where given, is called with what the reader does to them. */
export class Scatter {
  /** `columns` names the axes; `label` is read aloud; `onedit` is an object of functions, or null. */
  constructor(host, { columns, label, onedit = null }) {
    nDrawings += 1;
    this.clip = `plane-${nDrawings}`;
    this.onedit = onedit;
    this.tool = "move";
    this.svg = makeSvg("svg", {
      viewBox: `0 0 ${PLANE_WIDTH} ${PLANE_HEIGHT}`,
      role: "group",
      "aria-label": label,
      class: "scatter",
    });
    this.axes = makeSvg("g", { "aria-hidden": "true", class: "axes" });
    this.plane = makeSvg("rect", { class: "plane" });
    this.frame = makeSvg("rect");
    this.svg.append(
      makeSvg("defs", {}, makeSvg("clipPath", { id: this.clip }, this.frame)),
      this.axes,
      this.plane,
    );
    this.layers = {};
    for (const name of ["borders", "lines", "points", "paths", "centroids"]) {
      this.layers[name] = makeSvg("g", {
        class: name,
        "clip-path": name === "centroids" ? undefined : `url(#${this.clip})`,
      });
      this.svg.append(this.layers[name]);
    }
    this.columns = columns;
    host.replaceChildren(this.svg);
    if (onedit) {
      this.plane.addEventListener("click", (event) => this.#addAt(event));
    }
  }

  /** Sets the scales so that `places` fit, one unit as long across as up unless the columns are quite unlike. */
  fit(places) {
    const narrow = scalesOf(places, NARROWEST_LEFT);
    this.left = leftOf(narrow.y);
    Object.assign(this, scalesOf(places, this.left));
    const [innerWidth, innerHeight] = innerSize(this.left);
    for (const rect of [this.plane, this.frame]) {
      const place = { x: this.left, y: MARGIN.top, width: innerWidth, height: innerHeight };
      for (const [name, value] of Object.entries(place)) {
        rect.setAttribute(name, value);
      }
    }
    this.#drawAxes();
  }

  /** Draws points, and centroids with their clusters' numbers `ids`; `labels` is null before the first assignment. */
  draw({
    points,
    centroids,
    labels = null,
    ids = centroids.map((_, j) => j),
    lines = false,
    radii = null,
    before = null,
  }) {
    this.state = { points, centroids, ids };
    this.#drawBorders(labels === null ? [] : centroids);
    this.#drawLines(
      lines && labels !== null ? points.map((point, i) => [point, centroids[labels[i]], ids[labels[i]]]) : [],
    );
    this.#drawPoints(points, (i) => (labels === null ? null : ids[labels[i]]), radii);
    this.#drawPaths(before);
    this.#drawCentroids(centroids, ids);
  }

  setTool(tool) {
    this.tool = tool;
    this.svg.dataset.tool = tool;
    if (this.state) {
      this.#drawPoints(this.state.points, this.clusterOf, this.radii);
    }
  }

  #drawAxes() {
    const across = d3.axisBottom(this.x).ticks(N_TICKS).tickFormat(tickFormat(this.x)).tickSizeOuter(0);
    const up = d3.axisLeft(this.y).ticks(N_TICKS).tickFormat(tickFormat(this.y)).tickSizeOuter(0);
    d3.select(this.axes).selectAll("*").remove();
    d3.select(this.axes)
      .append("g")
      .attr("transform", `translate(0,${PLANE_HEIGHT - MARGIN.bottom})`)
      .call(across);
    d3.select(this.axes).append("g").attr("transform", `translate(${this.left},0)`).call(up);
    this.axes.append(
      makeSvg(
        "text",
        { x: PLANE_WIDTH - MARGIN.right, y: PLANE_HEIGHT - 8, "text-anchor": "end", class: "name" },
        this.columns[0],
      ),
      makeSvg("text", { x: 4, y: 20, class: "name" }, this.columns[1]),
    );
  }

  /** The lines at which two centroids are equally near; true in the drawing only where both axes have one scale. */
  #drawBorders(centroids) {
    const places = centroids.map((centroid) => this.#at(centroid));
    const drawn =
      this.equal && places.length > 1
        ? d3.Delaunay.from(places)
            .voronoi([this.left, MARGIN.top, PLANE_WIDTH - MARGIN.right, PLANE_HEIGHT - MARGIN.bottom])
            .render()
        : "";
    this.layers.borders.replaceChildren(...(drawn ? [makeSvg("path", { d: drawn })] : []));
  }

  #drawLines(lines) {
    d3.select(this.layers.lines)
      .selectAll("line")
      .data(lines)
      .join("line")
      .attr("x1", ([point]) => this.x(point[0]))
      .attr("y1", ([point]) => this.y(point[1]))
      .attr("x2", ([, centroid]) => this.x(centroid[0]))
      .attr("y2", ([, centroid]) => this.y(centroid[1]))
      .style("stroke", ([, , id]) => clusterColour(id));
  }

  #drawPoints(points, clusterOf, radii) {
    this.clusterOf = clusterOf;
    this.radii = radii;
    const removable = this.onedit !== null && this.tool === "remove";
    const drawn = d3.select(this.layers.points).selectAll("path").data(points).join("path");
    drawn
      .attr("transform", (point) => `translate(${this.x(point[0])},${this.y(point[1])})`)
      .attr("d", (_, i) => d3.symbol(shapeOf(clusterOf(i)), radii === null ? 46 : Math.PI * radii[i] ** 2)())
      .style("fill", (_, i) => (clusterOf(i) === null ? "var(--unassigned)" : clusterColour(clusterOf(i))))
      .attr("tabindex", removable ? "0" : null)
      .attr("role", removable ? "button" : null)
      .attr("aria-label", (point) =>
        removable ? `Remove the point at ${point.map(short).join(", ")}` : null,
      )
      .on("click", removable ? (_, point) => this.onedit.removePoint(points.indexOf(point)) : null)
      .on("keydown", (event, point) => {
        if (removable && (event.key === "Enter" || event.key === " ")) {
          event.preventDefault();
          this.onedit.removePoint(points.indexOf(point));
        }
      });
  }

  /** The way each centroid has come in an update step. */
  #drawPaths(before) {
    const ways = before === null ? [] : before.map((from, j) => [from, this.state.centroids[j]]);
    d3.select(this.layers.paths)
      .selectAll("line")
      .data(ways)
      .join("line")
      .attr("x1", ([from]) => this.x(from[0]))
      .attr("y1", ([from]) => this.y(from[1]))
      .attr("x2", ([, to]) => this.x(to[0]))
      .attr("y2", ([, to]) => this.y(to[1]));
  }

  #drawCentroids(centroids, ids) {
    const layer = this.layers.centroids;
    while (layer.children.length > centroids.length) {
      layer.lastChild.remove();
    }
    while (layer.children.length < centroids.length) {
      layer.append(this.#newCentroid(layer.children.length));
    }
    centroids.forEach((centroid, j) => {
      const mark = layer.children[j];
      const [x, y] = this.#at(centroid);
      mark.setAttribute("transform", `translate(${x},${y})`);
      mark.firstChild.style.fill = clusterColour(ids[j]);
      mark.lastChild.textContent = String(ids[j] + 1);
      const place = `at ${this.columns[0]} ${short(centroid[0])}, ${this.columns[1]} ${short(centroid[1])}`;
      mark.setAttribute(
        "aria-label",
        `Centroid ${ids[j] + 1} ${place}${this.onedit ? "; arrow keys move it" : ""}`,
      );
    });
  }

  #newCentroid(j) {
    const mark = makeSvg(
      "g",
      { class: "centroid" },
      makeSvg("circle", { r: 12 }),
      makeSvg("text", { dy: "0.36em" }),
    );
    mark.setAttribute("role", this.onedit ? "button" : "img");
    if (this.onedit) {
      mark.setAttribute("tabindex", "0");
      mark.addEventListener("pointerdown", (event) => this.#drag(event, mark, j));
      mark.addEventListener("keydown", (event) => this.#nudge(event, j));
    }
    return mark;
  }

  #drag(event, mark, j) {
    event.preventDefault();
    mark.focus({ preventScroll: true });
    mark.setPointerCapture(event.pointerId);
    mark.classList.add("dragged");
    const move = (moved) => this.onedit.moveCentroid(j, this.#placeOf(moved));
    const end = () => {
      mark.classList.remove("dragged");
      mark.removeEventListener("pointermove", move);
    };
    mark.addEventListener("pointermove", move);
    mark.addEventListener("pointerup", end, { once: true });
    mark.addEventListener("pointercancel", end, { once: true });
  }

  #nudge(event, j) {
    const direction = ARROWS[event.key];
    if (!direction) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const [x0, x1] = this.x.domain();
    const [y0, y1] = this.y.domain();
    const [x, y] = this.state.centroids[j];
    this.onedit.moveCentroid(j, [x + direction[0] * NUDGE * (x1 - x0), y + direction[1] * NUDGE * (y1 - y0)]);
  }

  #addAt(event) {
    if (this.tool === "add") {
      this.onedit.addPoint(this.#placeOf(event));
    }
  }

  #at(place) {
    return [this.x(place[0]), this.y(place[1])];
  }

  /** Where in the plane a pointer is, kept within it. */
  #placeOf(event) {
    const [px, py] = d3.pointer(event, this.svg);
    const x = Math.min(PLANE_WIDTH - MARGIN.right, Math.max(this.left, px));
    const y = Math.min(PLANE_HEIGHT - MARGIN.bottom, Math.max(MARGIN.top, py));
    return [round3(this.x.invert(x)), round3(this.y.invert(y))];
  }
}

/** Puts a scatter into the page element `id` and returns it. */
export function scatterAt(id, options) {
  const host = make("div", { class: "drawing" });
  byId(id).append(host);
  return new Scatter(host, options);
}

/** How far from the left the plane begins, such that the longest number of the axis has room. */
function leftOf(y) {
  const write = tickFormat(y);
  const longest = d3.max(y.ticks(N_TICKS), (tick) => write(tick).length);
  return Math.max(NARROWEST_LEFT, TICK_ROOM + LETTER_WIDTH * longest);
}

/** Numbers as they are, or where those would be long with a prefix: 20M. */
function tickFormat(scale) {
  const plain = scale.tickFormat(N_TICKS);
  const isLong = scale.ticks(N_TICKS).some((tick) => plain(tick).length > LONGEST_PLAIN);
  return isLong ? scale.tickFormat(N_TICKS, "~s") : plain;
}

function innerSize(left) {
  return [PLANE_WIDTH - left - MARGIN.right, PLANE_HEIGHT - MARGIN.top - MARGIN.bottom];
}

/** Scales of a plane that begins at `left`, and whether one unit is as long across as up. */
function scalesOf(places, left) {
  const [x0, x1] = d3.extent(places, (place) => place[0]);
  const [y0, y1] = d3.extent(places, (place) => place[1]);
  const [innerWidth, innerHeight] = innerSize(left);
  let width = (x1 - x0 || 1) * 1.12;
  let height = (y1 - y0 || 1) * 1.12;
  const ratio = width / height / (innerWidth / innerHeight);
  const equal = ratio < UNLIKE_UNITS && ratio > 1 / UNLIKE_UNITS;
  if (equal) {
    width = Math.max(width, (height * innerWidth) / innerHeight);
    height = Math.max(height, (width * innerHeight) / innerWidth);
  }
  const [cx, cy] = [(x0 + x1) / 2, (y0 + y1) / 2];
  const x = d3.scaleLinear([cx - width / 2, cx + width / 2], [left, PLANE_WIDTH - MARGIN.right]);
  const y = d3.scaleLinear([cy - height / 2, cy + height / 2], [PLANE_HEIGHT - MARGIN.bottom, MARGIN.top]);
  return { x, y, equal };
}

function round3(value) {
  return Number(value.toPrecision(6));
}

function shapeOf(id) {
  return id === null ? d3.symbolCircle : SHAPES[id % SHAPES.length];
}
