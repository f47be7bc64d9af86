// The confusion matrix, whose cells open their images; for very many labels a list of the most confused pairs.

import { byId, counted, make } from "./dom.js";
import { hold, rove } from "./rove.js";

export function startConfusion(data, viewer) {
  const { cells, totals, as_matrix } = data.confusion;
  const host = byId("confusion-table");
  host.append(
    as_matrix ? matrix(cells, totals, data.label_names, show) : list(cells, totals, data.label_names, show),
  );
  rove(host);
  hold(host);
  const first = d3.greatest(cells, ({ true: label, named, n }) => (label === named ? -1 : n));
  if (first) {
    show(first);
  }

  function show(cell) {
    for (const button of host.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.cell === `${cell.true}-${cell.named}`));
    }
    const [label, name] = [data.label_names[cell.true], data.label_names[cell.named]];
    const right = cell.true === cell.named ? "rightly named" : "named";
    const some = cell.images.length < cell.n ? `; ${cell.images.length} of them` : "";
    byId("confusion-images").replaceChildren(
      make("h3", {}, `Labelled “${label}”, ${right} “${name}”: ${counted(cell.n, data.what)}${some}`),
      make("div", { class: viewer.stripClass }, ...cell.images.map((i) => viewer.button(i))),
    );
  }
}

function matrix(cells, totals, names, show) {
  const found = new Map(cells.map((cell) => [`${cell.true}-${cell.named}`, cell]));
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, "label \\ name"),
    ...names.map((name) => make("th", { scope: "col", title: name }, name)),
  );
  const rows = names.map((label, row) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", title: label }, label),
      ...names.map((_, column) => {
        const cell = found.get(`${row}-${column}`);
        return make("td", {}, ...(cell ? [cellButton(cell, totals, names, show)] : []));
      }),
    ),
  );
  return make("table", { class: "matrix" }, make("thead", {}, head), make("tbody", {}, ...rows));
}

function list(cells, totals, names, show) {
  const items = cells.map((cell) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", class: "text" }, `${names[cell.true]} named ${names[cell.named]}`),
      make("td", {}, cellButton(cell, totals, names, show)),
    ),
  );
  return make("table", { class: "matrix" }, make("tbody", {}, ...items));
}

function cellButton(cell, totals, names, show) {
  const button = make(
    "button",
    {
      type: "button",
      "aria-pressed": "false",
      "data-cell": `${cell.true}-${cell.named}`,
      "aria-label": `${cell.n.toLocaleString("en")} labelled ${names[cell.true]}, named ${names[cell.named]}`,
      onclick: () => show(cell),
    },
    cell.n.toLocaleString("en"),
  );
  button.style.setProperty("--share", String(cell.n / totals[cell.true]));
  return button;
}
