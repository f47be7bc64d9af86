// The map of classes and the picture of the scene: beside each other or one over the other, moved together.

import { byId, make, makeSelect } from "./dom.js";
import { Zoom } from "./zoom.js";

const NARROW = 704; // pixels; too narrow for two pictures beside each other
const FAINT = 56; // opacity of classes not chosen, of 255

/** `onchoose(at)` is called with the class pressed in a picture, `onhover(column, line)` where the pointer is. */
export class SceneView {
  constructor(data, pixels, { onchoose, onhover }) {
    Object.assign(this, { data, pixels });
    this.host = byId("scene-view");
    this.host.style.setProperty("--aspect", String(data.aspect));
    this.map = this.#canvas("pane-map");
    this.picture = this.#canvas("pane-picture");
    this.palette = data.palettes.map;
    this.chosen = null;
    const windows = [...this.host.querySelectorAll(".window")];
    this.zoom = new Zoom(windows, {
      aspect: data.width / data.height,
      onpress: (place) => this.#at(place, (column, line) => onchoose(this.pixels.classAt(column, line))),
      onmove: (place) => this.#at(place, onhover),
    });
    this.#makeChoices();
    this.#drawPicture();
    this.draw();
  }

  /** Draws the map in these colours, all other classes fainter than the one chosen. */
  draw(palette = this.palette, chosen = this.chosen) {
    Object.assign(this, { palette, chosen });
    const { labels } = this.pixels;
    const colours = palette.map((hex, at) => rgba(hex, chosen === null || chosen === at ? 255 : FAINT));
    const image = new ImageData(this.data.width, this.data.height);
    const words = new Uint32Array(image.data.buffer);
    for (let i = 0; i < labels.length; i += 1) {
      words[i] = labels[i] === 0 ? 0 : colours[labels[i] - 1];
    }
    this.map.getContext("2d").putImageData(image, 0, 0);
  }

  #canvas(pane) {
    const canvas = byId(pane).querySelector("canvas");
    canvas.width = this.data.width;
    canvas.height = this.data.height;
    return canvas;
  }

  async #drawPicture() {
    const picture = new Image();
    picture.src = this.data.picture;
    await picture.decode();
    const context = this.picture.getContext("2d");
    context.drawImage(picture, 0, 0);
    // Nothing is shown where pixels are missing; the picture is black there.
    const mask = make("canvas", { width: this.data.width, height: this.data.height });
    const image = new ImageData(this.data.width, this.data.height);
    const words = new Uint32Array(image.data.buffer);
    this.pixels.labels.forEach((label, i) => {
      words[i] = label === 0 ? 0 : rgba("#000000", 255);
    });
    mask.getContext("2d").putImageData(image, 0, 0);
    context.globalCompositeOperation = "destination-in";
    context.drawImage(mask, 0, 0);
    this.host.dataset.ready = "true";
  }

  #at([across, down], use) {
    const column = Math.floor(across * this.data.width);
    const line = Math.floor(down * this.data.height);
    if (column >= 0 && line >= 0 && column < this.data.width && line < this.data.height) {
      use(column, line);
    }
  }

  #makeChoices() {
    const view = makeSelect(
      "View",
      [
        ["beside", "Map and picture side by side"],
        ["swipe", "Map over picture, to swipe"],
      ],
      innerWidth < NARROW ? "swipe" : "beside",
      (name) => this.#arrange(name),
    );
    const swipe = make("input", {
      type: "range",
      id: "swipe",
      min: 0,
      max: 100,
      value: 50,
      oninput: () => this.host.style.setProperty("--swipe", `${swipe.value}%`),
    });
    this.swipe = make(
      "label",
      { class: "field swipe" },
      make("span", {}, "Map to the left, picture to the right"),
      swipe,
    );
    const button = (name, text, onclick) =>
      make("button", { type: "button", "aria-label": name, onclick }, text);
    byId("view-choices").append(
      view.element,
      make(
        "div",
        { class: "buttons" },
        button("Zoom in", "+", () => this.zoom.by(2)),
        button("Zoom out", "−", () => this.zoom.by(0.5)),
        button("Whole scene", "Whole scene", () => this.zoom.reset()),
      ),
    );
    this.host.after(this.swipe);
    this.#arrange(view.select.value);
  }

  #arrange(name) {
    this.host.dataset.view = name;
    this.host.style.setProperty("--swipe", `${byId("swipe")?.value ?? 50}%`);
    this.swipe.hidden = name !== "swipe";
  }
}

/** A colour as the bytes of a pixel, red first, on a machine whose words begin with their lowest byte. */
function rgba(hex, opacity) {
  const [red, green, blue] = [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
  return ((opacity << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
