// Several runs on the same points, side by side and gone through together.

import { byId, make } from "../../report/scripts/dom.js";
import { Player } from "./player.js";
import { scatterAt } from "./scatter.js";

/** Draws each of `sides`, [key, name, steps], in the element `id`-key; `words(step)` says what step it is at. */
export function playTogether(id, label, sides, { points, columns, words }) {
  const shows = sides.map(([key, name, steps]) => {
    const caption = make("p", { class: "side" });
    byId(`${id}-${key}`).append(caption);
    const scatter = scatterAt(`${id}-${key}`, { columns, label: `${name}: points and centroids` });
    scatter.fit([...points, ...steps[0].centroids]);
    return (at) => {
      const step = steps[Math.min(at, steps.length - 1)];
      scatter.draw({ points, centroids: step.centroids, labels: step.labels, ids: step.ids });
      caption.textContent = `${name}: ${words(step)}${at >= steps.length - 1 ? ", the end" : ""}`;
      return caption.textContent;
    };
  });
  const player = new Player(byId(`${id}-player`), {
    label,
    onshow: (at) => shows.map((show) => show(at)).join(". "),
  });
  player.load(Math.max(...sides.map(([, , steps]) => steps.length)));
}
