// Many small pictures in one: a page of thousands of images stays one file of moderate size.

import { make } from "./dom.js";

// The class of each sheet's tiles. As a style of every tile, megabytes of address would be parsed for every one.
const classes = new Map();

function classOf(uri) {
  if (!classes.has(uri)) {
    const name = `sheet-${classes.size}`;
    const [styles] = document.styleSheets;
    styles.insertRule(`.${name} { background-image: url("${uri}"); }`, styles.cssRules.length);
    classes.set(uri, name);
  }
  return classes.get(uri);
}

/**
 * A sheet of equal tiles, row by row: `{uri, n_columns, n_rows, aspect}`, as the page's data describe it; or null,
 * where there are no pictures: its tiles are blank.
 */
export class Sheet {
  constructor(described) {
    this.isEmpty = described === null;
    const { uri, n_columns, n_rows, aspect } = described ?? {};
    this.class = this.isEmpty ? "blank" : `sprite ${classOf(uri)}`;
    this.nColumns = n_columns;
    this.nRows = n_rows;
    this.aspect = aspect;
  }

  /** Makes tile `i`; `label` is read aloud, or "" where the words beside it say enough. */
  tile(i, label) {
    if (this.isEmpty) {
      return make("span", { class: this.class, "aria-hidden": "true" });
    }
    const tile = make(
      "span",
      label
        ? { class: this.class, role: "img", "aria-label": label }
        : { class: this.class, "aria-hidden": "true" },
    );
    this.show(tile, i);
    return tile;
  }

  /** Lets an element made by `tile` show tile `i`. */
  show(tile, i) {
    const column = i % this.nColumns;
    const row = Math.floor(i / this.nColumns);
    const across = this.nColumns > 1 ? (100 * column) / (this.nColumns - 1) : 0;
    const down = this.nRows > 1 ? (100 * row) / (this.nRows - 1) : 0;
    tile.style.backgroundSize = `${100 * this.nColumns}% ${100 * this.nRows}%`;
    tile.style.backgroundPosition = `${across}% ${down}%`;
    tile.style.aspectRatio = this.aspect;
  }
}
