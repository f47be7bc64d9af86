// One image seen large, with what is known of it.

import { byId, make, short } from "./dom.js";
import { Sheet } from "./sheet.js";

const NARROW_LABEL = 6; // letters that fit above a small picture
const AT_A_TIME = 120; // images

/** Shows images of the page in its dialog, and makes the small buttons that open it. */
export class Viewer {
  constructor(data, names) {
    this.data = data;
    this.names = names;
    this.sheet = new Sheet(data.members);
    this.dialog = byId("viewer");
    this.what = data.what === "image" ? "Image" : "Vector";
    const isLong = data.label_names.some((name) => name.length > NARROW_LABEL);
    const kind = this.sheet.isEmpty ? " bare" : data.beside ? " large" : isLong ? " long-names" : "";
    this.stripClass = `strip${kind}`;
  }

  /** A button with image `i`, titled with its label; in bold where that is not the name given. */
  button(i) {
    const image = this.data.images[i];
    const label = this.labelOf(image);
    const wrong = label !== "" && this.names.of(image.cluster) !== label;
    const words = `${this.what} ${image.id}${label ? `, labelled ${label}` : ""}${wrong ? ", not the cluster's name" : ""}`;
    const said = this.sheet.isEmpty
      ? [image.id, make("small", {}, ` ${label} at ${short(image.distance)}`)]
      : [label];
    const title = make("span", { class: wrong ? "over wrong" : "over", "aria-hidden": "true" }, ...said);
    return make(
      "button",
      { type: "button", class: "cell", "aria-label": words, title: words, onclick: () => this.open(i) },
      title,
      this.sheet.tile(i, ""),
    );
  }

  /** The images at `places`, of many the first, with a button for more. */
  strip(places) {
    const strip = make("div", { class: this.stripClass });
    const more = make("button", { type: "button", class: "more-images" });
    let shown = 0;
    const show = () => {
      const next = places.slice(shown, shown + AT_A_TIME).map((i) => this.button(i));
      strip.append(...next);
      shown += next.length;
      const left = places.length - shown;
      more.hidden = left === 0;
      more.textContent = `Show ${Math.min(left, AT_A_TIME)} more of ${left.toLocaleString("en")}`;
      return next[0];
    };
    more.addEventListener("click", () => show().focus());
    show();
    return [strip, ...(more.hidden ? [] : [more])];
  }

  labelOf(image) {
    return image.label === null ? "" : this.data.label_names[image.label];
  }

  open(i) {
    const image = this.data.images[i];
    const facts = [
      [this.what, image.id],
      ["Label", this.labelOf(image) || "not known"],
      [
        "Cluster",
        `${image.cluster}${this.names.of(image.cluster) ? `, named ${this.names.of(image.cluster)}` : ""}`,
      ],
      ["Distance", `${short(image.distance)} to the centroid`],
    ];
    const list = make(
      "dl",
      { class: "facts" },
      ...facts.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))),
    );
    const close = make("button", { type: "button", onclick: () => this.dialog.close() }, "Close");
    this.dialog.replaceChildren(this.sheet.tile(i, `${this.what} ${image.id}`), list, close);
    this.dialog.showModal();
  }
}
