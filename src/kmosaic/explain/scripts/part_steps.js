// Part 1: two steps, over and over, on points the reader may change.

import { byId, counted, make, makeSelect, short } from "../../report/scripts/dom.js";
import { likelyColumns, MAX_POINTS, parsePoints, readRows } from "./csv.js";
import { InertiaCurve, stepWords } from "./curve.js";
import { carefulStart, randomStart, run, seededRandom } from "./kmeans.js";
import { Player } from "./player.js";
import { Scatter } from "./scatter.js";

const MAX_CLUSTERS = 8;

export class TwoSteps {
  constructor(sets, unlikeSpreads) {
    this.sets = sets;
    this.unlikeSpreads = unlikeSpreads;
    this.random = seededRandom(1);
    this.#makeControls();
    this.player = new Player(byId("steps-player"), { label: "Steps", onshow: (at) => this.#show(at) });
    this.curve = new InertiaCurve(byId("steps-curve"));
    this.open(sets[0].key);
  }

  /** Takes up a data set as the page was made with it: these steps are kmosaic's own. */
  open(key) {
    const set = this.sets.find((candidate) => candidate.key === key);
    this.columns = set.columns;
    this.points = set.points;
    this.key = key;
    byId("steps-about").textContent = set.about;
    this.#hintScale();
    this.clusters.select.value = String(set.n_clusters);
    this.starts.select.value = "opened";
    this.scatter = new Scatter(byId("steps-plane"), {
      columns: this.columns,
      label: `${set.title}: points and centroids`,
      onedit: this,
    });
    this.scatter.setTool(this.tools.find((tool) => tool.checked).value);
    if (set.steps === null) {
      this.#rerun(carefulStart(this.points, set.n_clusters, this.random), 0);
    } else {
      this.#take(set.steps, "kmosaic's KMeans");
    }
  }

  moveCentroid(j, place) {
    const at = this.player.at === 0 ? 0 : 1;
    const centroids = this.steps[this.player.at].centroids.map((centroid, i) => (i === j ? place : centroid));
    this.#rerun(centroids, at);
  }

  addPoint(place) {
    if (this.points.length < MAX_POINTS) {
      this.#edit([...this.points, place]);
    }
  }

  removePoint(i) {
    if (this.points.length > this.steps[0].centroids.length) {
      this.#edit(this.points.filter((_, other) => other !== i));
    }
  }

  #edit(points) {
    const at = Math.min(this.player.at, 1);
    const centroids = this.steps[this.player.at].centroids;
    this.points = points;
    this.#rerun(centroids, at);
  }

  /** Says so where one column spreads so much farther than the other that it decides nearly alone. */
  #hintScale() {
    const spreads = [0, 1].map((i) => d3.deviation(this.points, (point) => point[i]) ?? 0);
    const wide = d3.maxIndex(spreads);
    const ratio = spreads[wide] / spreads[1 - wide];
    const hint = byId("steps-scale");
    hint.hidden = !(Number.isFinite(ratio) && ratio >= this.unlikeSpreads);
    hint.replaceChildren(
      `${this.columns[wide]} spreads ${short(ratio)} times as far as ${this.columns[1 - wide]}, so it decides the clusters nearly alone. Standardise both columns first: `,
      make("a", { href: "#scale" }, "Scale first"),
      ".",
    );
  }

  /** Starts anew, as the reader chose: with how many clusters, and where. */
  #restart() {
    const k = Number(this.clusters.select.value);
    const set = this.sets.find((candidate) => candidate.key === this.key);
    if (
      set.steps !== null &&
      this.starts.select.value === "opened" &&
      k === set.n_clusters &&
      this.points === set.points
    ) {
      this.#take(set.steps, "kmosaic's KMeans");
      return;
    }
    const draw = this.starts.select.value === "careful" ? carefulStart : randomStart;
    this.#rerun(draw(this.points, k, this.random), 0);
  }

  #rerun(centroids, at) {
    this.#take(run(this.points, centroids), "this page", at);
  }

  #take(steps, who, at = 0) {
    this.steps = steps;
    byId("steps-who").textContent =
      `Computed by ${who}: ${counted(this.points.length, "point")}, ${counted(steps[0].centroids.length, "cluster")}.`;
    this.scatter.fit([...this.points, ...steps[0].centroids]);
    this.player.load(steps.length, at);
  }

  #show(at) {
    const step = this.steps[at];
    const moved = step.kind === "update" && this.steps[at - 1].centroids.length === step.centroids.length;
    this.scatter.draw({
      points: this.points,
      centroids: step.centroids,
      labels: step.labels,
      ids: step.ids,
      before: moved ? this.steps[at - 1].centroids : null,
    });
    this.curve.show(this.steps, at);
    byId("steps-inertia").textContent = step.inertia === null ? "J = ?" : `J = ${short(step.inertia)}`;
    byId("steps-formula").dataset.step = step.kind;
    return stepWords(this.steps, at);
  }

  #makeControls() {
    this.choice = makeSelect(
      "Points",
      this.sets.map(({ key, title }) => [key, title]),
      this.sets[0].key,
      (key) => this.open(key),
    );
    const numbers = d3.range(1, MAX_CLUSTERS + 1).map((k) => [String(k), String(k)]);
    this.clusters = makeSelect("Clusters K", numbers, "2", () => this.#restart());
    const starts = [
      ["opened", "As the lesson opens"],
      ["random", "Random points"],
      ["careful", "k-means++"],
    ];
    this.starts = makeSelect("Start from", starts, "opened", () => this.#restart());
    const again = make(
      "button",
      { type: "button", id: "steps-again", onclick: () => this.#restart() },
      "Start again",
    );
    byId("steps-choices").append(this.choice.element, this.clusters.element, this.starts.element, again);
    this.tools = [
      ["move", "Move centroids"],
      ["add", "Add points"],
      ["remove", "Remove points"],
    ].map(([tool, text]) => this.#makeTool(tool, text));
    byId("steps-typed").addEventListener("submit", (event) => this.#addTyped(event));
    byId("steps-file").addEventListener("change", async (event) => {
      await this.#openFile(event.target.files[0]);
      event.target.value = ""; // so that the same file, mended, can be chosen again
    });
  }

  /** Takes up two columns of a file of the reader's own, or says what is wrong with it. */
  async #openFile(file) {
    if (!file) {
      return;
    }
    const choices = byId("steps-file-columns");
    choices.replaceChildren();
    try {
      const rows = await readRows(file);
      const opened = { key: `file-${this.sets.length}`, title: file.name };
      const at = likelyColumns(rows);
      if (rows[0].length > 2) {
        choices.append(...["Across", "Up"].map((way, i) => this.#columnChoice(opened, rows, { way, at, i })));
      }
      this.#takeColumns(opened, rows, at);
    } catch (error) {
      byId("steps-file-words").textContent = error.message;
    }
  }

  /** The choice of the column that is drawn across, or up, where a file has more than two. */
  #columnChoice(opened, rows, { way, at, i }) {
    const columns = rows[0].map((cell, column) => [
      String(column),
      `${column + 1}: ${cell.trim().slice(0, 60)}`,
    ]);
    return makeSelect(way, columns, String(at[i]), (column) => {
      at[i] = Number(column);
      this.#takeColumns(opened, rows, at);
    }).element;
  }

  #takeColumns({ key, title }, rows, at) {
    try {
      const { columns, points } = parsePoints(rows, at);
      const n_clusters = Math.min(Number(this.clusters.select.value), points.length);
      const about = `${counted(points.length, "point")} from ${title}.`;
      if (this.sets.every((set) => set.key !== key)) {
        this.choice.select.append(make("option", { value: key }, title));
      }
      this.sets = this.sets.filter((set) => set.key !== key);
      this.sets.push({ key, title, about, columns, points, n_clusters, steps: null });
      this.choice.select.value = key;
      byId("steps-file-words").textContent = about;
      this.open(key);
    } catch (error) {
      byId("steps-file-words").textContent = error.message;
    }
  }

  #makeTool(tool, text) {
    const radio = make("input", {
      type: "radio",
      name: "tool",
      value: tool,
      checked: tool === "move",
      onchange: () => this.scatter.setTool(tool),
    });
    byId("steps-tools").append(make("label", {}, radio, text));
    return radio;
  }

  #addTyped(event) {
    event.preventDefault();
    const place = [byId("typed-x").valueAsNumber, byId("typed-y").valueAsNumber];
    if (place.every(Number.isFinite)) {
      this.addPoint(place);
    }
  }
}
