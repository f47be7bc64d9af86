// Part 3: one start that leaves a cluster empty, and three ways to go on, side by side.

import { counted, short } from "../../report/scripts/dom.js";
import { playTogether } from "./together.js";

const WAYS = [
  ["drop", "Drop it"],
  ["random", "A random point"],
  ["relocate", "The costliest point"],
];

export function startEmpty({ points, columns, traces }) {
  const sides = WAYS.map(([policy, name]) => [policy, name, traces[policy]]);
  const words = ({ centroids, inertia }) =>
    `${counted(centroids.length, "cluster")}, ${inertia === null ? "the start" : `J = ${short(inertia)}`}`;
  playTogether("empty", "All three", sides, { points, columns, words });
}
