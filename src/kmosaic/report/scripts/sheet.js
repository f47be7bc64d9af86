// Many small pictures in one: a page of thousands of images stays one file of moderate size.

import { make } from "./dom.js";

/**
 * A sheet of equal tiles, row by row: `{uri, n_columns, n_rows, aspect}`, as the page's data describe it; or null,
 * where there are no pictures: its tiles are blank.
 */
export class Sheet {
  constructor(described) {
    this.isEmpty = described === null;
    const { uri, n_columns, n_rows, aspect } = described ?? {};
    this.image = `url("${uri}")`;
    this.nColumns = n_columns;
    this.nRows = n_rows;
    this.aspect = aspect;
  }

  /** Makes tile `i`; `label` is read aloud, or "" where the words beside it say enough. */
  tile(i, label) {
    if (this.isEmpty) {
      return make("span", { class: "blank", "aria-hidden": "true" });
    }
    const tile = make(
      "span",
      label
        ? { class: "sprite", role: "img", "aria-label": label }
        : { class: "sprite", "aria-hidden": "true" },
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
    tile.style.backgroundImage = this.image;
    tile.style.backgroundSize = `${100 * this.nColumns}% ${100 * this.nRows}%`;
    tile.style.backgroundPosition = `${across}% ${down}%`;
    tile.style.aspectRatio = this.aspect;
  }
}
