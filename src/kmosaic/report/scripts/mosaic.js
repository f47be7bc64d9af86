// The mosaic of centroids: found by name or number, put in order, pressed to look into.

import { byId, counted, make, makeSelect } from "./dom.js";
import { ClusterGroup } from "./groups.js";
import { hold, rove } from "./rove.js";

const ROOMY = 60; // so few clusters are shown larger
const SHORT_NAME = 3; // letters that have room beside the number of images
const ORDERS = {
  groups: ["Groups of alike clusters", null],
  size: ["Size, largest first", (cluster) => -cluster.size],
  purity: ["Purity, least first", (cluster) => cluster.purity ?? 2],
  spread: ["Spread, widest first", (cluster) => -(cluster.spread ?? -1)],
  name: ["Name", null],
  number: ["Number", (cluster) => cluster.cluster],
};

/** The tiles of all clusters; `onchoose(place)` is called with the one pressed. */
export class Mosaic {
  constructor(data, names, sheet, onchoose) {
    this.clusters = data.clusters;
    this.what = data.what;
    this.names = names;
    this.host = byId("cluster-mosaic");
    this.buttons = data.clusters.map((cluster, at) =>
      this.#button(cluster, sheet.tile(at, ""), () => onchoose(at)),
    );
    this.groups = data.groups.map((places) => new ClusterGroup(data, names, sheet, places, this.buttons));
    names.listeners.push((number) => this.#retitle(number));
    this.#makeChoices(
      data.clusters.some((cluster) => cluster.purity !== null),
      names,
    );
    this.host.classList.toggle("bare", sheet.isEmpty);
    this.host.classList.toggle("roomy", data.clusters.length <= ROOMY);
    this.#makeRoom();
    rove(this.host);
    this.#arrange();
  }

  mark(at) {
    for (const [other, button] of this.buttons.entries()) {
      button.setAttribute("aria-pressed", String(other === at));
    }
    this.marked = at;
    if (this.#inGroups()) {
      const group = this.groups.find((one) => one.holds(at));
      group.element.open = true;
      hold(group.grid, this.buttons[at]);
    } else if (!this.buttons[at].hidden) {
      hold(this.host, this.buttons[at]);
    }
  }

  #inGroups() {
    return this.order.value === "groups";
  }

  #button(cluster, tile, onclick) {
    const title = make("span", {});
    const over = make(
      "span",
      { class: "over", "aria-hidden": "true" },
      title,
      make("small", {}, cluster.size.toLocaleString("en")),
    );
    const button = make(
      "button",
      { type: "button", class: "cell", "aria-pressed": "false", onclick },
      over,
      tile,
    );
    button.style.setProperty("--share", String(cluster.size / d3.max(this.clusters, ({ size }) => size)));
    button.setTitle = () => {
      title.textContent = this.names.orNumber(cluster.cluster);
      button.title = `${this.names.described(cluster.cluster)}, ${counted(cluster.size, this.what)}`;
      button.setAttribute("aria-label", button.title);
    };
    button.setTitle();
    return button;
  }

  #retitle(number) {
    const at = this.clusters.findIndex(({ cluster }) => cluster === number);
    this.buttons[at].setTitle();
    this.groups.find((group) => group.holds(at))?.retitle();
    this.#makeRoom();
  }

  /** Long names stand above the numbers of images, not beside them. */
  #makeRoom() {
    const isLong = ({ cluster }) => this.names.orNumber(cluster).length > SHORT_NAME;
    this.host.classList.toggle("long-names", this.clusters.some(isLong));
  }

  #makeChoices(hasPurity, names) {
    const search = make("input", {
      type: "search",
      id: "cluster-search",
      placeholder: "name or number",
      oninput: () => this.#arrange(),
    });
    const missing = { purity: !hasPurity, groups: this.groups.length === 0 };
    const orders = Object.entries(ORDERS).filter(([key]) => !missing[key]);
    const order = makeSelect(
      "Order",
      orders.map(([key, [text]]) => [key, text]),
      this.groups.length > 0 ? "groups" : names.of(this.clusters[0].cluster) ? "name" : "size",
      () => this.#arrange(),
    );
    order.select.dataset.choice = "order";
    byId("cluster-choices").append(
      make("label", { class: "field" }, make("span", {}, "Find"), search),
      order.element,
      names.exportButton(),
    );
    this.search = search;
    this.order = order.select;
  }

  #arrange() {
    const wanted = this.search.value.trim().toLocaleLowerCase();
    const places = d3.range(this.clusters.length);
    places.sort((a, b) => this.#compare(this.clusters[a], this.clusters[b]));
    let n = 0;
    for (const at of places) {
      const { cluster } = this.clusters[at];
      const found =
        wanted === "" ||
        String(cluster) === wanted.replace(/^#/, "") ||
        this.names.of(cluster).toLocaleLowerCase().includes(wanted);
      this.buttons[at].hidden = !found;
      n += found ? 1 : 0;
    }
    this.#place(places, wanted !== "");
    byId("cluster-count").textContent =
      wanted === ""
        ? counted(n, "cluster")
        : `${counted(n, "cluster")} found for “${this.search.value.trim()}”`;
  }

  /** Puts the buttons into their order, or into groups; those with something found are opened. */
  #place(places, searched) {
    this.host.classList.toggle("mosaic", !this.#inGroups());
    if (this.#inGroups()) {
      for (const group of this.groups) {
        group.fill();
        group.element.open = searched || group.holds(this.marked);
      }
      this.host.replaceChildren(...this.groups.map(({ element }) => element));
      return;
    }
    this.host.replaceChildren(...places.map((at) => this.buttons[at]));
    hold(this.host, this.buttons[places.find((at) => !this.buttons[at].hidden)]);
  }

  #compare(a, b) {
    const key = ORDERS[this.order.value][1];
    if (key !== null) {
      return key(a) - key(b) || a.cluster - b.cluster;
    }
    const names = this.names
      .of(a.cluster)
      .localeCompare(this.names.of(b.cluster), undefined, { numeric: true });
    return names || b.size - a.size;
  }
}
