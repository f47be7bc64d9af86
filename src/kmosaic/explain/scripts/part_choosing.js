// Part 5: choosing K by a knee, by a score, by how stable it is; and a photo in few colours.

import { chart, tipOn } from "../../report/scripts/chart.js";
import { byId, make, short } from "../../report/scripts/dom.js";

const SCORES = [
  ["inertia", "J, the lowest of six fits", true],
  ["silhouette", "silhouette, mean", false],
  ["stability", "stability, mean", false],
];

export function startChoosing(scores, photo) {
  for (const set of scores) {
    const row = make("div", { class: "charts" });
    byId("scores").append(make("h4", {}, set.title), row);
    for (const [key, name, fromZero] of SCORES) {
      const host = make("div", { class: "chart" });
      row.append(host);
      showScore(host, set, { key, name, fromZero });
    }
  }
  startPhoto(photo);
}

function showScore(host, set, { key, name, fromZero }) {
  const dots = set.n_clusters.map((K, i) => ({ K, value: set[key][i] })).filter((dot) => dot.value !== null);
  const best = fromZero ? [] : [d3.greatest(dots, (dot) => dot.value)];
  chart(
    host,
    () => ({
      height: 210,
      marginLeft: 48,
      // From one cluster on, which has neither silhouette nor stability, such that the charts are alike.
      x: { label: "clusters K", domain: d3.extent(set.n_clusters), ticks: set.n_clusters, tickFormat: "d" },
      y: {
        label: name,
        grid: true,
        ticks: 5,
        tickFormat: fromZero ? "~s" : ".1f",
        domain: fromZero ? undefined : [0, 1.1],
        zero: fromZero,
      },
      marks: [
        Plot.ruleY([0], { stroke: "var(--muted)" }),
        Plot.lineY(dots, { x: "K", y: "value", stroke: "var(--accent)", strokeWidth: 2 }),
        Plot.dot(dots, { x: "K", y: "value", fill: "var(--accent)", r: 3.5 }),
        Plot.dot(best, { x: "K", y: "value", stroke: "var(--beside)", strokeWidth: 2.5, r: 8 }),
        tipOn(
          dots,
          { x: "K", y: "value", title: (dot) => `K = ${dot.K}\n${short(dot.value)}` },
          Plot.pointerX,
        ),
      ],
    }),
    `${set.title}, ${name}: ${dots.map((dot) => `${short(dot.value)} at ${dot.K}`).join(", ")}`,
  );
}

function startPhoto(photo) {
  const image = make("img", { width: photo.width, height: photo.height, alt: "" });
  const swatches = make("div", { class: "swatches", "aria-hidden": "true" });
  byId("photo-painted").append(image, swatches);
  byId("photo-original").append(
    make("img", {
      width: photo.width,
      height: photo.height,
      src: photo.uri,
      alt: `${photo.title}, as it is`,
    }),
  );
  byId("photo-original-words").textContent =
    `As it is: ${photo.n_colours.toLocaleString("en")} colours, ${kilobytes(photo.bytes)} as PNG`;
  const slider = byId("photo-slider");
  slider.max = photo.versions.length - 1;
  slider.value = photo.versions.findIndex(({ n_colours }) => n_colours === 8);
  slider.addEventListener("input", show);
  const redraw = chart(byId("photo-chart"), () => ({}), "");
  show();

  function show() {
    const now = photo.versions[Number(slider.value)];
    image.src = now.uri;
    image.alt = `The photo painted with ${now.n_colours} colours`;
    swatches.replaceChildren(...now.palette.map((colour) => swatch(colour)));
    byId("photo-words").textContent =
      `${now.n_colours} colours: ${kilobytes(now.bytes)} as PNG, ${Math.round((100 * now.bytes) / photo.bytes)}% of the original; a channel is off by ${now.error.toFixed(1)} of 255 (root mean square)`;
    slider.setAttribute("aria-valuetext", `${now.n_colours} colours`);
    redraw(() => trade(photo.versions, now), "Error against file size, one dot for each number of colours");
  }
}

function swatch([r, g, b]) {
  const patch = make("span");
  patch.style.background = `rgb(${r}, ${g}, ${b})`;
  return patch;
}

function trade(versions, now) {
  return {
    height: 230,
    marginRight: 60,
    x: { label: "file size in kB", zero: true, transform: (bytes) => bytes / 1000 },
    y: { label: "error", grid: true, zero: true },
    marks: [
      Plot.ruleY([0], { stroke: "var(--muted)" }),
      Plot.line(versions, { x: "bytes", y: "error", stroke: "var(--rule)", strokeWidth: 2 }),
      Plot.dot(versions, { x: "bytes", y: "error", fill: "var(--accent)", r: 4 }),
      Plot.dot([now], { x: "bytes", y: "error", stroke: "var(--beside)", strokeWidth: 2.5, r: 9 }),
      Plot.text(
        versions.filter(({ n_colours }) => [2, 8, 32, 256].includes(n_colours)),
        {
          x: "bytes",
          y: "error",
          text: ({ n_colours }) => `K = ${n_colours}`,
          dy: -14,
          textAnchor: "start",
          fill: "currentColor",
        },
      ),
    ],
  };
}

function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
