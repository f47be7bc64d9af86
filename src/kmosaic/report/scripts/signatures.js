// Spectral signatures: the mean of each class in each band, and how far its pixels spread about it.

import { chart, onMark, tipOn } from "./chart.js";
import { byId, short } from "./dom.js";

const MAX_SPREADS = 12; // classes; with more, only the chosen one's spread is shown
const DODGE = 0.3; // of the way from band to band
const MAX_ENDS = 20; // lines that are numbered at their ends
const LINE = 14; // pixels that a number there takes
const LONGEST = 16; // letters of a band on the axis
const LETTER = 7; // pixels
const HEIGHT = 380;
const SYMBOLS = ["circle", "square", "triangle", "diamond2", "star", "wye", "times"];

/** The chart; `onchoose(at)` is called with the class whose point is pressed. */
export class Signatures {
  constructor(data, onchoose) {
    this.data = data;
    this.scaled = false;
    this.chosen = null;
    this.palette = data.palettes.map;
    this.names = data.bands.map((name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name));
    const host = byId("signature-chart");
    this.redraw = chart(host, (width) => this.#options(width), this.#words());
    onMark(host, (dot) => onchoose(dot.at));
  }

  /** Draws anew: in other colours, with another class chosen, or in other units. */
  draw(changes) {
    Object.assign(this, changes);
    this.redraw(null, this.#words());
  }

  #dots() {
    const { classes, scaling } = this.data;
    const unit = (value, band) =>
      this.scaled ? (value - scaling.shift[band]) * scaling.factor[band] : value;
    return classes.flatMap(({ value, name, mean, deviation }, at) =>
      mean.flatMap((y, band) =>
        y === null
          ? []
          : [
              {
                at,
                value,
                name,
                band,
                y: unit(y, band),
                low: unit(y - deviation[band], band),
                high: unit(y + deviation[band], band),
                spread: deviation[band],
              },
            ],
      ),
    );
  }

  #options(width) {
    const { bands, classes } = this.data;
    const dots = this.#dots();
    const isChosen = (dot) => this.chosen === null || dot.at === this.chosen;
    const shown = [...dots.filter((dot) => !isChosen(dot)), ...dots.filter(isChosen)];
    const spreads = dots.filter((dot) =>
      this.chosen === null ? classes.length <= MAX_SPREADS : dot.at === this.chosen,
    );
    const step = Math.ceil((bands.length * 14) / width);
    const longest = Math.max(...this.names.map((name) => name.length));
    const turned = longest * LETTER + 10 > (width - 110) / bands.length;
    const opacity = (dot) => (isChosen(dot) ? 1 : 0.22);
    // Where every class shows its spread, they stand beside each other.
    const dodge = this.chosen === null && spreads.length > 0 ? DODGE / classes.length : 0;
    const beside = (dot) => dot.band + dodge * (dot.at - (classes.length - 1) / 2);
    const colour = (dot) => this.palette[dot.at];
    const line = { x: beside, y: "y", z: "at", opacity };
    const title = (dot) =>
      `class ${dot.value}${dot.name === `class ${dot.value}` ? "" : `, ${dot.name}`}\n${bands[dot.band]}: ${short(dot.y)}${this.scaled ? "" : ` ± ${short(dot.spread)}`}`;
    return {
      height: HEIGHT + (turned ? Math.min(longest * 4, 60) : 0),
      marginBottom: turned ? 28 + Math.min(longest * 4, 60) : 32,
      marginRight: 44,
      x: {
        label: null,
        domain: [-0.25, Math.max(0.25, bands.length - 0.75)],
        ticks: bands.map((_, band) => band).filter((band) => band % step === 0),
        tickFormat: (band) => this.names[band],
        tickRotate: turned ? -40 : 0,
      },
      y: {
        label: this.scaled ? "mean, in scaled units" : "mean, in the bands' own units",
        grid: true,
        nice: true,
      },
      marks: [
        ...(this.chosen === null
          ? [
              Plot.ruleX(spreads, {
                x: beside,
                y1: "low",
                y2: "high",
                stroke: "var(--ink)",
                strokeWidth: 3.2,
                opacity: 0.55,
              }),
              Plot.ruleX(spreads, { x: beside, y1: "low", y2: "high", stroke: colour, strokeWidth: 2 }),
            ]
          : [
              Plot.areaY(spreads, {
                x: "band",
                y1: "low",
                y2: "high",
                fill: this.palette[this.chosen],
                fillOpacity: 0.3,
              }),
              Plot.lineY(spreads, { x: "band", y: "low", stroke: "var(--muted)", strokeDasharray: "3 3" }),
              Plot.lineY(spreads, { x: "band", y: "high", stroke: "var(--muted)", strokeDasharray: "3 3" }),
            ]),
        // A class may have the colour of the paper: a line in the colour of ink lies under each.
        Plot.lineY(shown, { ...line, stroke: "var(--ink)", strokeWidth: 3.4 }),
        Plot.lineY(shown, { ...line, stroke: colour, strokeWidth: 2 }),
        Plot.dot(shown, {
          x: beside,
          y: "y",
          symbol: (dot) => SYMBOLS[dot.at % SYMBOLS.length],
          fill: colour,
          stroke: "var(--ink)",
          strokeWidth: 0.8,
          r: bands.length > 40 ? 2 : 4,
          opacity,
        }),
        ...this.#ends(dots, dodge),
        tipOn(dots, { x: beside, y: "y", title }),
      ],
      symbol: { type: "identity" },
    };
  }

  /** The number of each class beside the end of its line, pushed apart where they would touch. */
  #ends(dots, dodge) {
    const last = this.data.bands.length - 1;
    const ends = d3.sort(
      dots.filter((dot) => dot.band === last && (this.chosen === null || dot.at === this.chosen)),
      (dot) => dot.y,
    );
    const [low, high] = d3.extent(dots.flatMap((dot) => [dot.low, dot.high]));
    const gap = ((high - low) * LINE) / (HEIGHT - 70);
    if (ends.length > MAX_ENDS) {
      return [];
    }
    let at = Number.NEGATIVE_INFINITY;
    const places = ends.map((dot, i) => {
      at = Math.min(Math.max(dot.y, at + gap), high - gap * (ends.length - 1 - i));
      return { ...dot, place: at };
    });
    return [
      Plot.text(places, {
        x: last + (dodge * this.data.classes.length) / 2,
        y: "place",
        text: "value",
        textAnchor: "start",
        dx: 10,
        fill: "var(--ink)",
      }),
    ];
  }

  #words() {
    const { bands, classes } = this.data;
    const chosen = this.chosen === null ? "" : `; class ${classes[this.chosen].value} is chosen`;
    return `Means of ${classes.length} classes in ${bands.length} bands${chosen}; the table below has them as numbers`;
  }
}
