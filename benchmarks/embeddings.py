"""How well clusters of a network's vectors agree with people, by a protocol fixed in advance.

python -m benchmarks.embeddings VECTORS.npy --paths files.txt [--seeds 5] [--json FILE]

Row i of VECTORS is the image of line i of the paths, whose folder is its label. Half of the rows, drawn once
by a fixed seed, are fitted without labels; the other half is scored. For 10 clusters the score is that of
the best one-to-one names of clusters (H. W. Kuhn, 1955, "The Hungarian method for the assignment problem");
for more, clusters are named by the majority of their fitted rows. Every way is that of
``kmosaic fit --vectors`` with the options it is called by.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from benchmarks.environment import environment
from benchmarks.table import markdown
from kmosaic import ClusterClassifier, KMeans
from kmosaic.features import Recipe
from kmosaic.features.recipes import VectorRecipe
from kmosaic.files import atomic_write

_SPLIT_SEED = 2026
CLUSTERS = (10, 256)
WHITENED = (128, 256)
WAYS = {
    "vectors as they are": VectorRecipe(1),
    **{
        f"{first}--normalise{whiten}": VectorRecipe(1, True, n_whitened, power=power)
        for first, power in (("", None), ("--power 0.5 ", 0.5))
        for whiten, n_whitened in (("", None), *((f" --whiten {n}", n) for n in WHITENED))
    },
}
WAYS |= {f"{way} --features graph": replace(made, n_graph_clusters=1) for way, made in WAYS.items()}
RESTARTS = 10


def recipe(way: str, n_features: int, n_clusters: int) -> Recipe:
    """What the options ``way`` make of vectors, not fitted."""
    made = replace(WAYS[way], n_features=n_features)
    if made.n_graph_clusters is not None:
        made = replace(made, n_graph_clusters=n_clusters)
    return Recipe.of_vectors(made)


def hungarian_accuracy(clusters: NDArray[Any], labels: NDArray[Any]) -> float:
    """The share of rows in the cluster of their label, clusters named one to one as is best."""
    pairs = np.zeros((clusters.max() + 1, labels.max() + 1))
    np.add.at(pairs, (clusters, labels), 1)
    return float(pairs[linear_sum_assignment(-pairs)].sum() / len(labels))


def scores(
    halves: tuple[NDArray[Any], NDArray[Any]],
    labels: tuple[NDArray[np.intp], NDArray[np.intp]],
    way: str,
    n_clusters: int,
    n_seeds: int,
    n_init: int = 1,
) -> list[float]:
    """Accuracy on the half that was not fitted, for each seed of k-means: the best J of ``n_init`` starts."""
    made = recipe(way, halves[0].shape[1], n_clusters)
    fitted, scored = made.fit_transform(halves[0]), made.transform(halves[1])
    found = []
    for seed in range(n_seeds):
        model = KMeans(n_clusters, random_state=seed, n_init=n_init)
        if n_clusters == CLUSTERS[0]:
            model.fit(fitted)
            found.append(hungarian_accuracy(model.predict(scored), labels[1]))
        else:
            named = ClusterClassifier(model).fit(fitted, labels[0])
            found.append(float(named.score(scored, labels[1])))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--paths", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)

    names = [PurePosixPath(line).parent.name for line in given.paths.read_text().split()]
    labels = np.unique(names, return_inverse=True)[1]
    rows = np.load(given.vectors, mmap_mode="r")
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(rows))
    split = np.sort(order[: len(rows) // 2]), np.sort(order[len(rows) // 2 :])
    halves = np.ascontiguousarray(rows[split[0]]), np.ascontiguousarray(rows[split[1]])
    found = {
        (way, k): scores(halves, (labels[split[0]], labels[split[1]]), way, k, given.seeds)
        for k in CLUSTERS
        for way in WAYS
    }
    for way in (one for one in WAYS if "graph" in one):
        restarted = f"{way} --n-init {RESTARTS}", CLUSTERS[0]
        found[restarted] = scores(
            halves, (labels[split[0]], labels[split[1]]), way, CLUSTERS[0], given.seeds, RESTARTS
        )
    table = [
        (f"{way}, k = {k}", f"{np.mean(values):.4f}", f"{min(values):.4f} - {max(values):.4f}")
        for (way, k), values in found.items()
    ]
    print(markdown(["vectors, k", "accuracy", "least - greatest seed"], table))
    print(f"\n{environment()['processor']}")
    if given.json is not None:
        figures = [
            {
                "workload": f"{way}, k = {k}",
                "library": "kmosaic",
                "figure": figure,
                "unit": "",
                "value": value,
            }
            for (way, k), values in found.items()
            for figure, value in (
                ("accuracy", round(float(np.mean(values)), 4)),
                ("least and greatest seed", [round(min(values), 4), round(max(values), 4)]),
            )
        ]
        with atomic_write(given.json, overwrite=True) as temporary:
            temporary.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
