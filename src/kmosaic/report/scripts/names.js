// Clusters renamed by hand, and the file that `kmosaic predict --names` takes.

import { make } from "./dom.js";

const VERSION = 1;
const LONGEST_NAME = 200;

/** The names as they now are; `onrename(place)` is called when one changes. */
export class Names {
  constructor(data) {
    this.data = data;
    this.given = new Map(data.clusters.map((cluster) => [cluster.cluster, cluster.name]));
    this.listeners = [];
  }

  of(cluster) {
    return this.given.get(cluster) ?? "";
  }

  /** A cluster by its number, and by its name where it has one. */
  described(cluster) {
    return `Cluster ${cluster}${this.of(cluster) ? `, named ${this.of(cluster)}` : ""}`;
  }

  /** What to call a cluster where a name is wanted. */
  orNumber(cluster) {
    return this.of(cluster) || `#${cluster}`;
  }

  rename(cluster, name) {
    this.given.set(cluster, name.trim().slice(0, LONGEST_NAME));
    for (const listener of this.listeners) {
      listener(cluster);
    }
  }

  /** The file's content: one name for each cluster, null where there is none. */
  asJson() {
    const names = Array.from({ length: this.data.n_clusters }, (_, cluster) => this.of(cluster) || null);
    return `${JSON.stringify({ kmosaic_names: VERSION, n_clusters: this.data.n_clusters, names }, null, 2)}\n`;
  }

  /** A button that saves the file. */
  exportButton() {
    const save = () => {
      const address = URL.createObjectURL(new Blob([this.asJson()], { type: "application/json" }));
      make("a", { href: address, download: "names.json" }).click();
      URL.revokeObjectURL(address);
    };
    return make("button", { type: "button", id: "export-names", onclick: save }, "Export names");
  }
}
