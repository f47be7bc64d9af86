// Part 3: one start that leaves a cluster empty, and three ways to go on, side by side.

import { byId, counted, make, short } from "../../report/scripts/dom.js";
import { Player } from "./player.js";
import { scatterAt } from "./scatter.js";

const WAYS = [
  ["drop", "Drop it"],
  ["random", "A random point"],
  ["relocate", "The costliest point"],
];

export function startEmpty({ points, columns, traces }) {
  const sides = WAYS.map(([policy, name]) => {
    const caption = make("p", { class: "side" });
    byId(`empty-${policy}`).append(caption);
    const scatter = scatterAt(`empty-${policy}`, { columns, label: `${name}: points and centroids` });
    scatter.fit([...points, ...traces[policy][0].centroids]);
    return { name, steps: traces[policy], scatter, caption };
  });
  const player = new Player(byId("empty-player"), {
    label: "All three",
    onshow: (at) => sides.map((side) => show(side, at, points)).join(". "),
  });
  player.load(Math.max(...sides.map(({ steps }) => steps.length)));
}

function show({ name, steps, scatter, caption }, at, points) {
  const step = steps[Math.min(at, steps.length - 1)];
  scatter.draw({ points, centroids: step.centroids, labels: step.labels, ids: step.ids });
  const state = step.inertia === null ? "the start" : `J = ${short(step.inertia)}`;
  caption.textContent = `${name}: ${counted(step.centroids.length, "cluster")}, ${state}${at >= steps.length - 1 ? ", the end" : ""}`;
  return caption.textContent;
}
