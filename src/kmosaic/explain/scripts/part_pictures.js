// Part 6: from points to pictures.

import { byId, make, makeSelect, short } from "../../report/scripts/dom.js";
import { Sheet } from "../../report/scripts/sheet.js";
import { Player } from "./player.js";

export function startPictures(part) {
  showNumbers(part.numbers);
  byId("image-plain").append(new Sheet(part.first).tile(0, "The image itself"));
  showFilm(part.film);
  showMosaics(part.summaries);
}

/** The image as a table of its numbers, each as bright as the number says. */
function showNumbers({ values, brightest }) {
  const rows = values.map((row) =>
    make(
      "tr",
      {},
      ...row.map((value) => {
        const cell = make("td", {}, String(value));
        const share = value / brightest;
        cell.style.background = `rgb(${[255, 255, 255].map((white) => Math.round(white * share)).join(",")})`;
        cell.style.color = share > 0.5 ? "#000" : "#fff";
        return cell;
      }),
    ),
  );
  const table = byId("image-numbers");
  table.style.setProperty("--columns", values[0].length);
  table.append(make("tbody", {}, ...rows));
}

function showFilm({ sheet, iterations, inertia, units, n_clusters }) {
  const tiles = new Sheet(sheet);
  const strip = byId("film");
  const frames = iterations.map((iteration, at) => {
    const frame = make(
      "div",
      { class: "frame", "data-at": at },
      make("span", { class: "when" }, iteration === 0 ? "start" : `after ${iteration}`),
    );
    for (let j = 0; j < n_clusters; j += 1) {
      frame.append(tiles.tile(at * n_clusters + j, ""));
    }
    return frame;
  });
  strip.append(...frames);
  const player = new Player(byId("film-player"), {
    label: "Film",
    onshow: (at) => {
      for (const [other, frame] of frames.entries()) {
        frame.classList.toggle("now", other === at);
      }
      const frame = frames[at];
      strip.scrollLeft = frame.offsetLeft - strip.offsetLeft - (strip.clientWidth - frame.offsetWidth) / 2;
      const when =
        iterations[at] === 0
          ? "The start: ten images"
          : `After ${iterations[at]} ${iterations[at] === 1 ? "iteration" : "iterations"}`;
      return `${when}. J = ${short(inertia[at])} ${units}.`;
    },
  });
  player.load(iterations.length, 0);
}

function showMosaics(summaries) {
  const choices = summaries.map(({ n_clusters }, i) => [String(i), `${n_clusters} clusters`]);
  const choice = makeSelect("Show", choices, "0", (i) => show(summaries[Number(i)]));
  byId("mosaic-choice").append(choice.element);
  show(summaries[0]);

  function show({ sheet, names, sizes, n_clusters, words }) {
    const tiles = new Sheet(sheet);
    const cells = names.map((name, j) =>
      make(
        "figure",
        { class: "cell" },
        make("figcaption", {}, name),
        tiles.tile(j, `Centroid ${j + 1}, named ${name}, ${sizes[j]} images`),
      ),
    );
    const mosaic = byId("mosaic");
    mosaic.replaceChildren(...cells);
    mosaic.style.setProperty("--columns", Math.ceil(Math.sqrt(n_clusters * 1.6)));
    byId("mosaic-words").textContent = words;
  }
}
