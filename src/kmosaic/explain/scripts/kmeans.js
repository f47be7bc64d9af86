// K-means as the page computes it where the reader changes something. The tests hold it to the steps of
// kmosaic.KMeans on random points: labels equal, centroids and J to rounding.

const MAX_ITERATIONS = 300;

/** Numbers in [0, 1) that a seed decides (the generator is mulberry32). */
export function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function squaredDistance(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) {
    sum += (a[i] - b[i]) ** 2;
  }
  return sum;
}

/** The assignment step: the number of the nearest centroid for each point; of equals the lowest. */
export function assign(points, centroids) {
  return points.map((point) => {
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (let j = 0; j < centroids.length; j += 1) {
      const squared = squaredDistance(point, centroids[j]);
      if (squared < least) {
        least = squared;
        best = j;
      }
    }
    return best;
  });
}

/** The update step: the mean of each cluster's points; without points a centroid stays. */
export function means(points, labels, centroids) {
  const sums = centroids.map((centroid) => centroid.map(() => 0));
  const counts = sizes(labels, centroids.length);
  points.forEach((point, i) => {
    for (let f = 0; f < point.length; f += 1) {
      sums[labels[i]][f] += point[f];
    }
  });
  return centroids.map((centroid, j) => (counts[j] === 0 ? centroid : sums[j].map((sum) => sum / counts[j])));
}

/** J: the sum of the squared distances of the points to their centroids. */
export function inertia(points, labels, centroids) {
  return points.reduce((sum, point, i) => sum + squaredDistance(point, centroids[labels[i]]), 0);
}

export function sizes(labels, nClusters) {
  const counts = new Array(nClusters).fill(0);
  for (const label of labels) {
    counts[label] += 1;
  }
  return counts;
}

/**
 * All half-steps from `start` until no point changes its cluster.
 *
 * `policy` says what becomes of a cluster that has lost its points: "relocate" (to the costliest point),
 * "random" (to any point) or "drop". Each step has kind, centroids, labels, inertia, ids (the clusters'
 * numbers at the start) and filled (clusters that were given a point).
 */
export function run(points, start, policy = "relocate", random = seededRandom(0)) {
  let centroids = start;
  let ids = start.map((_, j) => j);
  let before = [];
  const steps = [{ kind: "start", centroids, labels: null, inertia: null, ids, filled: [] }];
  const push = (kind, labels, filled) =>
    steps.push({ kind, centroids, labels, inertia: inertia(points, labels, centroids), ids, filled });
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration += 1) {
    let labels = assign(points, centroids);
    const changed = labels.filter((label, i) => label !== before[i]).length;
    push("assign", labels, []);
    const repaired = repair(points, labels, centroids, policy, random);
    if (changed === 0 && repaired.filled.length === 0) {
      break;
    }
    ids = repaired.kept.map((j) => ids[j]);
    labels = repaired.labels;
    centroids = means(points, labels, repaired.centroids);
    push("update", labels, repaired.filled);
    before = labels;
  }
  return steps;
}

function repair(points, labels, centroids, policy, random) {
  const counts = sizes(labels, centroids.length);
  const all = centroids.map((_, j) => j);
  const empty = all.filter((j) => counts[j] === 0);
  if (empty.length === 0) {
    return { labels, centroids, kept: all, filled: [] };
  }
  if (policy === "drop") {
    const kept = all.filter((j) => counts[j] > 0);
    return {
      labels: labels.map((j) => kept.indexOf(j)),
      centroids: kept.map((j) => centroids[j]),
      kept,
      filled: [],
    };
  }
  return {
    ...relocated(points, labels, centroids, { empty, counts, policy, random }),
    centroids,
    kept: all,
  };
}

/** Gives each empty cluster one point: away from its centroid, unlike those taken, of a cluster that keeps others. */
function relocated(points, labels, centroids, { empty, counts, policy, random }) {
  const costs = points.map((point, i) => squaredDistance(point, centroids[labels[i]]));
  const order = points.map((_, i) => i).filter((i) => costs[i] > 0);
  if (policy === "random") {
    shuffle(order, random);
  } else {
    order.sort((a, b) => costs[b] - costs[a]);
  }
  const relabelled = [...labels];
  const taken = new Set();
  const filled = [];
  for (const i of order) {
    const place = points[i].join();
    if (filled.length < empty.length && !taken.has(place) && counts[relabelled[i]] > 1) {
      taken.add(place);
      counts[relabelled[i]] -= 1;
      relabelled[i] = empty[filled.length];
      filled.push(relabelled[i]);
    }
  }
  return { labels: relabelled, filled };
}

function shuffle(items, random) {
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j], items[i]];
  }
}

/** As many different points as there are clusters, drawn at random, to start from. */
export function randomStart(points, nClusters, random) {
  const different = [...new Map(points.map((point) => [point.join(), point])).values()];
  shuffle(different, random);
  return different.slice(0, nClusters);
}

/**
 * Greedy k-means++: each next centroid is the best of a few points drawn in proportion to their squared
 * distance from those chosen (Arthur and Vassilvitskii 2007).
 */
export function carefulStart(points, nClusters, random) {
  const nTrials = 2 + Math.floor(Math.log(nClusters));
  const chosen = [points[Math.floor(random() * points.length)]];
  let costs = points.map((point) => squaredDistance(point, chosen[0]));
  while (chosen.length < nClusters && costs.some((cost) => cost > 0)) {
    let best = null;
    for (let trial = 0; trial < nTrials; trial += 1) {
      const candidate = points[drawn(costs, random)];
      const left = costs.map((cost, i) => Math.min(cost, squaredDistance(points[i], candidate)));
      const sum = left.reduce((a, b) => a + b, 0);
      if (best === null || sum < best.sum) {
        best = { candidate, left, sum };
      }
    }
    chosen.push(best.candidate);
    costs = best.left;
  }
  return chosen;
}

function drawn(weights, random) {
  let rest = random() * weights.reduce((a, b) => a + b, 0);
  const last = weights.findLastIndex((weight) => weight > 0);
  for (let i = 0; i < last; i += 1) {
    rest -= weights[i];
    if (rest < 0) {
      return i;
    }
  }
  return last;
}
