// The report of a scene's classes.

import { chart, onMark, tipOn } from "./chart.js";
import { startCopying } from "./copy.js";
import { byId, counted, make, makeSelect, readData, short } from "./dom.js";
import { showHistory } from "./history.js";
import { hintOverflow } from "./overflow.js";
import { ScenePixels } from "./scene_pixels.js";
import { SceneView } from "./scene_view.js";
import { Signatures } from "./signatures.js";
import { startTheme } from "./theme.js";

const data = readData("page-data");
const rows = [...document.querySelectorAll("#class-table tbody tr")];
const signatures = new Signatures(data, choose);
const redrawSizes = showSizes();
let palette = data.palettes.map;
let chosen = null;
let view = null;

/** Chooses a class everywhere; the one that is chosen already, or none at all, leaves none chosen. */
function choose(at) {
  chosen = at < 0 || at === chosen ? null : at;
  for (const [i, row] of rows.entries()) {
    row.classList.toggle("chosen", i === chosen);
    row.querySelector("button").setAttribute("aria-pressed", String(i === chosen));
  }
  byId("chosen-class").textContent =
    chosen === null ? "No class is chosen: all are shown alike." : `Chosen: ${described(chosen)}.`;
  byId("all-classes").hidden = chosen === null;
  view?.draw(palette, chosen);
  signatures.draw({ chosen });
  redrawSizes();
}

function described(at) {
  const { value, name, pixels } = data.classes[at];
  return `class ${value}${name === `class ${value}` ? "" : ` (${name})`}, ${counted(pixels, "pixel")}`;
}

function recolour(name) {
  palette = data.palettes[name];
  for (const [i, row] of rows.entries()) {
    row.querySelector(".swatch").style.setProperty("--colour", palette[i]);
  }
  view?.draw(palette, chosen);
  signatures.draw({ palette });
  redrawSizes();
}

function showReadout(pixels, column, line) {
  const at = pixels.classAt(column, line);
  const place = pixels.placeOf(column, line);
  const digits = Math.abs(data.transform[0]) < 0.01 ? 5 : 1;
  const number = (value) => value.toLocaleString("en", { maximumFractionDigits: digits });
  const parts = [`Line ${place.line.toLocaleString("en")}, column ${place.column.toLocaleString("en")}`];
  if (data.has_crs) {
    parts.push(`x ${number(place.x)}, y ${number(place.y)}`);
  }
  if (at < 0) {
    parts.push("missing");
  } else {
    const { value, name } = data.classes[at];
    parts.push(name === `class ${value}` ? name : `class ${value}, ${name}`);
    const values = pixels.valuesAt(column, line);
    parts.push(...values.map((found, band) => `${data.value_bands[band]}: ${short(found)}`));
  }
  byId("readout").textContent = parts.join(" · ");
}

function showSizes() {
  const order = d3
    .sort(
      data.classes.map((each, at) => ({ ...each, at })),
      (each) => -each.pixels,
    )
    .map((each, rank) => ({ ...each, rank, order: String(rank) }));
  const host = byId("sizes-chart");
  const redraw = chart(
    host,
    (width) => ({
      x: {
        label: "class",
        padding: order.length > 60 ? 0 : 0.15,
        tickFormat: (rank) => String(order[rank].value),
        ticks: order
          .map(({ rank }) => rank)
          .filter((rank) => rank % Math.ceil((order.length * 24) / width) === 0),
      },
      y: { label: "pixels", grid: true, tickFormat: "~s" },
      marks: [
        Plot.barY(order, {
          x: "rank",
          y: "pixels",
          fill: (each) => palette[each.at],
          fillOpacity: (each) => (chosen === null || each.at === chosen ? 1 : 0.25),
          stroke: "var(--muted)",
          strokeWidth: order.length > 60 ? 0 : 0.8,
        }),
        Plot.ruleY([0]),
        tipOn(order, { x: "rank", y: "pixels", title: (each) => described(each.at) }, Plot.pointerX),
      ],
    }),
    `Sizes of ${counted(order.length, "class").replace(/ss(s?)$/, (_, s) => (s ? "sses" : "ss"))}, from ${order[0].pixels} to ${order.at(-1).pixels} pixels`,
  );
  onMark(host, (bar) => choose(bar.at));
  return redraw;
}

function makeChoices() {
  if (data.palettes.map.join() !== data.palettes.distinct.join()) {
    const colours = makeSelect(
      "Colours",
      [
        ["map", "Of the map"],
        ["distinct", "Safe for colour-blind readers"],
      ],
      "map",
      recolour,
    );
    byId("view-choices").prepend(colours.element);
  }
  if (data.scaling.method !== "none") {
    const units = makeSelect(
      "Units",
      [
        ["own", "The bands' own"],
        ["scaled", `Scaled by ${data.scaling.method}`],
      ],
      "own",
      (name) => signatures.draw({ scaled: name === "scaled" }),
    );
    byId("signature-choices").append(units.element);
  }
  byId("all-classes").addEventListener("click", () => choose(-1));
  for (const [at, row] of rows.entries()) {
    row.querySelector("button").addEventListener("click", () => choose(at));
  }
}

startTheme(byId("look"));
hintOverflow(".scroll");
startCopying();
makeChoices();
if (data.history.length > 0) {
  showHistory(byId("history-chart"), data.history, { name: `J, ${data.units}`, rounds: data.rounds });
}
ScenePixels.read(data).then(
  (pixels) => {
    view = new SceneView(data, pixels, {
      onchoose: choose,
      onhover: (column, line) => showReadout(pixels, column, line),
    });
    view.draw(palette, chosen);
  },
  () => {
    byId("scene-view").replaceChildren(
      make("p", { class: "advice" }, "This browser is too old to show the map: it cannot unpack its pixels."),
    );
  },
);
