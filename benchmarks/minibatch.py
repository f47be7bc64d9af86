"""MiniBatchKMeans beside scikit-learn's, each with its defaults: inertia, rows seen and seconds.

python benchmarks/minibatch.py [--seeds 3] [--data-dir DIR]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn import cluster
from sklearn.datasets import load_digits, make_blobs

from kmosaic import MiniBatchKMeans
from kmosaic.engines import make_engine, resolve_n_threads
from kmosaic.images import ReadOptions, load_dataset


def inertia(rows: np.ndarray, centers: np.ndarray) -> float:
    """J of all rows at these centroids, whoever found them."""
    centers = np.ascontiguousarray(centers, dtype=np.float64)
    engine = make_engine(rows, None, resolve_n_threads(None))
    return engine.inertia(engine.assign(centers).sums, centers)


def main() -> None:
    """Print a row for each data set and seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    mnist = load_dataset("mnist", ReadOptions(data_dir=options.data_dir)).train.pixels
    blobs = make_blobs(50_000, 16, centers=30, cluster_std=3, random_state=0)[0]
    cases = [
        ("MNIST", mnist, 256),
        ("MNIST", mnist, 10),
        ("digits", load_digits().data, 36),
        ("blobs", blobs, 50),
    ]
    print("| data | k | seed | inertia / scikit-learn's | rows seen | theirs | seconds | theirs |")
    print("|---|---|---|---|---|---|---|---|")
    for name, rows, k in cases:
        for seed in range(options.seeds):
            before = time.perf_counter()
            theirs = cluster.MiniBatchKMeans(k, random_state=seed).fit(rows)
            between = time.perf_counter()
            ours = MiniBatchKMeans(k, random_state=seed).fit(rows)
            after = time.perf_counter()
            ratio = ours.inertia_ / inertia(np.ascontiguousarray(rows), theirs.cluster_centers_)
            seen = [min(model.batch_size, len(rows)) * model.n_steps_ for model in (ours, theirs)]
            print(
                f"| {name} | {k} | {seed} | {ratio:.4f} | {seen[0]:,} | {seen[1]:,} "
                f"| {after - between:.2f} | {between - before:.2f} |"
            )


if __name__ == "__main__":
    main()
