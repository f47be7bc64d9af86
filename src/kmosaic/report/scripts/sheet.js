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

// Files are asked for when a tile comes near the window: browsers load backgrounds that nobody sees.
const nearby = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) {
        nearby.unobserve(target);
        target.classList.add(classOf(target.dataset.sheet));
      }
    }
  },
  { rootMargin: "300px" },
);

/**
 * Sheets of equal tiles, row by row: `{uris, n_columns, n_rows, aspect}`, as the page's data describe them; or null,
 * where there are no pictures: its tiles are blank. A sheet in a file is loaded when one of its tiles is shown.
 */
export class Sheet {
  constructor(described) {
    this.isEmpty = described === null;
    const { uris, n_columns, n_rows, aspect } = described ?? {};
    this.uris = uris;
    this.nColumns = n_columns;
    this.nRows = n_rows;
    this.aspect = aspect;
  }

  /** Makes tile `i`; `label` is read aloud, or "" where the words beside it say enough. */
  tile(i, label) {
    if (this.isEmpty) {
      return make("span", { class: "blank", "aria-hidden": "true" });
    }
    const tile = make("span", label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" });
    this.show(tile, i);
    return tile;
  }

  /** Lets an element made by `tile` show tile `i`. */
  show(tile, i) {
    const inSheet = i % (this.nColumns * this.nRows);
    const column = inSheet % this.nColumns;
    const row = Math.floor(inSheet / this.nColumns);
    const uri = this.uris[(i - inSheet) / (this.nColumns * this.nRows)];
    tile.className = "sprite";
    if (uri.startsWith("data:")) {
      tile.classList.add(classOf(uri));
    } else {
      tile.dataset.sheet = uri;
      nearby.observe(tile);
    }
    const across = this.nColumns > 1 ? (100 * column) / (this.nColumns - 1) : 0;
    const down = this.nRows > 1 ? (100 * row) / (this.nRows - 1) : 0;
    tile.style.backgroundSize = `${100 * this.nColumns}% ${100 * this.nRows}%`;
    tile.style.backgroundPosition = `${across}% ${down}%`;
    tile.style.aspectRatio = this.aspect;
  }
}
