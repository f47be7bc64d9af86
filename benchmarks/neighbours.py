"""The nearest of 60,000 x 200 rows, beside scikit-learn and FAISS; and what a distortion distance costs.

python -m benchmarks.neighbours [--rows 60000] [--features 200] [--neighbours 10] [--data-dir DIR]

Rows are principal components of MNIST's training images in float32. Every library finds each row's nearest
rows, itself included, by brute force; how many of all are those of kmosaic is printed beside the seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from benchmarks.environment import environment
from kmosaic.engines import DistortionOptions, distortions, nearest_rows, resolve_n_threads
from kmosaic.features import DistortionDistance, Whiten
from kmosaic.images import ReadOptions, load_dataset

_PAIR_IMAGES = 20_000
_PAIR_CANDIDATES = 50
_PAIR_NEAREST = 7

Search = Callable[[NDArray[np.float32], int], NDArray[Any]]


def main() -> None:
    """Print a table of seconds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--features", type=int, default=200)
    parser.add_argument("--neighbours", type=int, default=10)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    images = load_dataset("mnist", ReadOptions(data_dir=options.data_dir)).train.pixels[: options.rows]
    rows = Whiten(options.features, power=0.0).fit_transform(images)
    print(f"{len(rows):,} x {rows.shape[1]} float32, {options.neighbours} neighbours each")
    print("| library | s | as kmosaic's |")
    print("|---|---|---|")
    expected: NDArray[Any] | None = None
    for name, search in SEARCHES.items():
        start = time.perf_counter()
        try:
            found = search(rows, options.neighbours)
        except ImportError:
            print(f"| {name} | not installed | |")
            continue
        seconds = time.perf_counter() - start
        expected = found if expected is None else expected
        print(f"| {name} | {seconds:.1f} | {(found == expected).mean():.6f} |", flush=True)
    for what, microseconds in microseconds_a_pair(images, rows).items():
        print(f"The distortion distance, {what}: {microseconds:.2f} microseconds a pair of 28 x 28 pixels")
    facts = environment()
    print(", ".join(f"{name} {facts[name]}" for name in ("date", "processor", "threads", "load")))


def _kmosaic(rows: NDArray[np.float32], k: int) -> NDArray[Any]:
    return nearest_rows(rows, rows, k, resolve_n_threads(None)).indices


def _scikit_learn(rows: NDArray[np.float32], k: int) -> NDArray[Any]:
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows)
    found: NDArray[Any] = search.kneighbors(rows, return_distance=False)
    return found


def _faiss(rows: NDArray[np.float32], k: int) -> NDArray[Any]:
    import faiss

    faiss.omp_set_num_threads(resolve_n_threads(None))
    index = faiss.IndexFlatL2(rows.shape[1])
    index.add(rows)
    found: NDArray[Any] = index.search(rows, k)[1]
    return found


SEARCHES: dict[str, Search] = {"kmosaic": _kmosaic, "scikit-learn": _scikit_learn, "FAISS": _faiss}


def microseconds_a_pair(images: NDArray[np.uint8], rows: NDArray[np.float32]) -> dict[str, float]:
    """What one distance costs, all threads at work: of any pairs, and where the nearest of 50 are sought."""
    levels = DistortionDistance().describe(images)
    few, threads = min(_PAIR_IMAGES, len(levels)), resolve_n_threads(None)
    anyone = np.random.default_rng(0).integers(0, len(levels), (few, _PAIR_CANDIDATES)).astype(np.int32)
    near = nearest_rows(rows[:few], rows, _PAIR_CANDIDATES, threads, own=0).indices
    found = {}
    for what, candidates, n_nearest in (
        ("any pairs", anyone, None),
        (f"{_PAIR_NEAREST} nearest of {_PAIR_CANDIDATES}", near, _PAIR_NEAREST),
    ):
        start = time.perf_counter()
        distortions(levels[:few], levels, candidates, DistortionOptions(2, n_nearest), threads)
        found[what] = (time.perf_counter() - start) / candidates.size * 1e6
    return found


if __name__ == "__main__":
    main()
