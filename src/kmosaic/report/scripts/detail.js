// One cluster looked into: its centroid and medoid, its members, its labels, and the clusters like it.

import { byId, counted, make, short } from "./dom.js";

const PERCENT = new Intl.NumberFormat("en", {
  style: "percent",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

export class Detail {
  constructor(data, { names, viewer, sheet, onchoose }) {
    Object.assign(this, { data, names, viewer, sheet, onchoose });
    this.host = byId("cluster-detail");
  }

  show(at) {
    const cluster = this.data.clusters[at];
    this.host.replaceChildren(
      this.#heading(cluster),
      this.#means(cluster, at),
      make("p", {}, this.#facts(cluster)),
      this.#rename(cluster),
      ...this.#members(
        cluster.nearest.length === cluster.size ? "All, the nearest first" : "Nearest the centroid",
        cluster.nearest,
      ),
      ...this.#members("Farthest from it", cluster.farthest),
      ...this.#members("Label is not the name", cluster.wrong),
      ...this.#shares(cluster),
      ...this.#closest(cluster),
    );
    this.host.scrollTop = 0;
  }

  #heading({ cluster }) {
    const name = this.names.of(cluster);
    return make("h3", {}, `Cluster ${cluster}${name ? `, named “${name}”` : ""}`);
  }

  /** Its pictures; a clustering of vectors alone has none. */
  #means(cluster, at) {
    if (this.sheet.isEmpty) {
      return "";
    }
    const tiles = [
      make(
        "div",
        {},
        make("p", {}, this.data.pictured),
        this.sheet.tile(at, `${this.data.pictured} of cluster ${cluster.cluster}`),
      ),
    ];
    if (cluster.medoid !== null) {
      tiles.push(
        make(
          "div",
          {},
          make("p", {}, "Medoid"),
          this.viewer.sheet.tile(cluster.medoid, `Medoid: image ${this.data.images[cluster.medoid].id}`),
        ),
      );
    }
    return make("div", { class: "means" }, ...tiles);
  }

  #facts({ size, purity, spread }) {
    const parts = [counted(size, this.data.what)];
    if (purity !== null) {
      parts.push(`${PERCENT.format(purity)} pure`);
    }
    if (spread !== null) {
      parts.push(`mean distance ${short(spread)}`);
    }
    return parts.join(", ");
  }

  #rename({ cluster }) {
    const input = make("input", {
      type: "text",
      maxlength: 200,
      value: this.names.of(cluster),
      "aria-label": `Name of cluster ${cluster}`,
    });
    const submit = (event) => {
      event.preventDefault();
      this.names.rename(cluster, input.value);
      this.host.firstChild.replaceWith(this.#heading({ cluster }));
    };
    const field = make("label", { class: "field" }, make("span", {}, "Your name for it"), input);
    return make(
      "form",
      { class: "rename", onsubmit: submit },
      field,
      make("button", { type: "submit" }, "Rename"),
    );
  }

  #members(title, places) {
    if (places.length === 0) {
      return [];
    }
    return [make("h4", {}, title), ...this.viewer.strip(places)];
  }

  #shares({ shares }) {
    if (shares.length === 0) {
      return [];
    }
    const rows = shares.flatMap(([label, share]) => {
      const bar = make("span", { class: "bar", "aria-hidden": "true" });
      bar.style.width = `${100 * share}%`;
      return [
        make("dt", {}, this.data.label_names[label]),
        make("dd", {}, bar, make("span", {}, PERCENT.format(share))),
      ];
    });
    return [make("h4", {}, `Labels of its ${this.data.what}s`), make("dl", { class: "shares" }, ...rows)];
  }

  #closest({ closest }) {
    if (closest.length === 0) {
      return [];
    }
    const buttons = closest.map(([at, distance]) => {
      const { cluster } = this.data.clusters[at];
      const over = make("span", { class: "over", "aria-hidden": "true" }, this.names.orNumber(cluster));
      const words = `${this.names.described(cluster)}, at distance ${short(distance)}`;
      return make(
        "button",
        {
          type: "button",
          class: "cell",
          "aria-label": words,
          title: words,
          onclick: () => this.onchoose(at),
        },
        over,
        this.sheet.tile(at, ""),
      );
    });
    return [make("h4", {}, "Closest clusters"), make("div", { class: "strip" }, ...buttons)];
  }
}
