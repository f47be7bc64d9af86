"""k-means++ alone, of few clusters and of as many as rows, beside scikit-learn's kmeans_plusplus.

    python -m benchmarks.seeding_near_n [--other PYTHON] [--rounds N]

Each run is a process of its own. Rounds alternate between this interpreter's kmosaic, that of ``--other`` (an
interpreter with another version of kmosaic) and scikit-learn; the table has medians of wall and processor
seconds, and says whether both versions of kmosaic drew the same rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# kind, n, d, k, dtype
SHAPES = [
    ("uniform", 300, 2, 300, "uint8"),
    ("normal", 1000, 8, 1000, "float32"),
    ("uniform", 5000, 2, 5000, "uint16"),
    ("uniform", 20000, 2, 20000, "uint16"),
    ("normal", 3000, 64, 3000, "float32"),
    ("normal", 3000, 256, 3000, "float32"),
    ("normal", 3000, 256, 3000, "uint8"),
    ("normal", 20000, 16, 2000, "float32"),
    ("uniform", 100000, 3, 16, "uint8"),
    ("uniform", 100000, 3, 256, "uint8"),
    ("blobs", 200000, 16, 300, "float32"),
    ("mnist", 60000, 784, 256, "uint8"),
]


def rows(kind: str, n: int, d: int, dtype: str) -> NDArray[np.generic]:
    """The data of a shape, the same in every process."""
    random = np.random.default_rng(0)
    if kind == "mnist":
        from kmosaic.images.idx import read_idx

        folder = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"
        return np.ascontiguousarray(read_idx(folder / "train-images-idx3-ubyte.gz").reshape(-1, d)[:n])
    values = random.random((n, d)) if kind == "uniform" else random.normal(size=(n, d))
    if kind == "blobs":
        values = 4 * random.normal(size=(50, d))[random.integers(0, 50, n)] + values / 2
    if dtype.startswith("uint"):
        values = (values - values.min()) / (values.max() - values.min()) * np.iinfo(dtype).max
    return values.astype(dtype)


def measure(library: str, shape: tuple[str, int, int, int, str]) -> dict[str, float]:
    """Seconds of one run, conversion not counted, and a checksum of the rows drawn."""
    kind, n, d, k, dtype = shape
    X = rows(kind, n, d, dtype)
    if library == "kmosaic":
        from kmosaic.cluster.seeding import greedy_kmeans_plus_plus
        from kmosaic.engines import make_engine

        engine = make_engine(X, None, 2)
        wall, processor = time.perf_counter(), time.process_time()
        drawn = greedy_kmeans_plus_plus(engine, k, np.random.RandomState(0))
    else:
        from sklearn.cluster import kmeans_plusplus

        X = X.astype(np.float64 if dtype in ("uint16", "float64") else np.float32)
        wall, processor = time.perf_counter(), time.process_time()
        drawn = kmeans_plusplus(X, k, random_state=0)[1]
    return {
        "wall": time.perf_counter() - wall,
        "processor": time.process_time() - processor,
        "drawn": zlib.crc32(np.asarray(drawn, dtype=np.int64).tobytes()),
    }


def run(python: str, library: str, index: int) -> dict[str, float]:
    """One run in a process of its own."""
    command = [python, str(Path(__file__).resolve()), "--run", library, str(index)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(out)  # type: ignore[no-any-return]


def main() -> None:
    """Print a row of the table for each shape."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--other", help="an interpreter with another version of kmosaic")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(measure(given.run[0], SHAPES[int(given.run[1])])))
        return
    runs = {"kmosaic": (sys.executable, "kmosaic"), "scikit-learn": (sys.executable, "scikit-learn")}
    if given.other:
        runs["other"] = (given.other, "kmosaic")
    for index, (kind, n, d, k, dtype) in enumerate(SHAPES):
        found: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
        for _ in range(given.rounds):
            for name, (python, library) in runs.items():
                found[name].append(run(python, library, index))
        cells = [f"{kind} {dtype} | {n:,} | {d} | {k:,}"]
        for name in runs:
            wall = statistics.median(one["wall"] for one in found[name])
            processor = statistics.median(one["processor"] for one in found[name])
            cells.append(f"{wall:.3f} ({processor:.3f})")
        if given.other:
            cells.append(str(found["kmosaic"][0]["drawn"] == found["other"][0]["drawn"]))
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
