// Groups of alike clusters: an outline whose entries open to their clusters.

import { counted, make } from "./dom.js";
import { hold, rove } from "./rove.js";

const FACES = 5;
const NAMES = 3;

/** One group: its largest clusters' pictures and names, and, when it is open, the buttons of all. */
export class ClusterGroup {
  /** `places` are those of its clusters in the page's data, `buttons` those of all clusters. */
  constructor(data, names, sheet, places, buttons) {
    Object.assign(this, { data, names, places, buttons });
    const bySize = d3.sort(places, (at) => -data.clusters[at].size);
    this.numbers = sheet.isEmpty ? bySize.map((at) => `#${data.clusters[at].cluster}`) : [];
    const faces = sheet.isEmpty ? [] : bySize.slice(0, FACES).map((at) => sheet.tile(at, ""));
    this.words = make("span", { class: "group-words" });
    this.grid = make("div", { class: "mosaic", role: "group" });
    this.element = make(
      "details",
      { class: "cluster-group" },
      make("summary", {}, make("span", { class: "faces", "aria-hidden": "true" }, ...faces), this.words),
      this.grid,
    );
    rove(this.grid);
    this.retitle();
  }

  /** Names its commonest names, by their images; without these and pictures the numbers of its largest clusters. */
  retitle() {
    const clusters = this.places.map((at) => this.data.clusters[at]);
    const n = d3.sum(clusters, ({ size }) => size);
    const sums = d3.rollups(
      clusters.filter(({ cluster }) => this.names.of(cluster)),
      (named) => d3.sum(named, ({ size }) => size),
      ({ cluster }) => this.names.of(cluster),
    );
    const common = d3.sort(sums, ([, size]) => -size).map(([name]) => name);
    const said = common.length > 0 ? common : this.numbers;
    const more = said.length > NAMES ? `, ${said.length - NAMES} more` : "";
    const title = said.slice(0, NAMES).join(", ");
    const facts = `${counted(clusters.length, "cluster")}, ${counted(n, this.data.what)}`;
    this.words.replaceChildren(
      ...(title ? [make("span", { class: "group-names" }, `${title}${more}`), " "] : []),
      make("small", {}, facts),
    );
    this.grid.setAttribute("aria-label", `Clusters of this group: ${title || facts}`);
  }

  /** Takes its buttons in, those that are hidden too; goes where all of them are. */
  fill() {
    this.grid.replaceChildren(...this.places.map((at) => this.buttons[at]));
    this.element.hidden = this.places.every((at) => this.buttons[at].hidden);
    hold(this.grid);
  }

  holds(at) {
    return this.places.includes(at);
  }
}
