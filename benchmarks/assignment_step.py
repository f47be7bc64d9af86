"""One assignment step on MNIST by every instruction set of this processor: time, and whether labels agree.

python benchmarks/assignment_step.py [--clusters 256] [--data-dir DIR]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from kmosaic import _core
from kmosaic.engines import resolve_n_threads
from kmosaic.images import ReadOptions, load_dataset


def main() -> None:
    """Print the table: the least of seven calls each, from labels of the step before."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clusters", type=int, default=256)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    images = load_dataset("mnist", ReadOptions(data_dir=options.data_dir)).train.pixels
    n_threads = resolve_n_threads(None)
    chosen = np.random.default_rng(0).choice(len(images), options.clusters, replace=False)
    centers = images[chosen].astype(np.float64)
    start = np.full(len(images), -1, dtype=np.int32)
    _core.assign(images, centers, start, n_threads)
    partial = _core.Partial(options.clusters, np.zeros(images.shape[1]))
    partial.add(images, None, start, n_threads)
    centers = partial.means(centers)
    print(f"k = {options.clusters}, {n_threads} threads\n")
    print("| instruction set | dtype | ms | same labels |\n|---|---|---|---|")
    expected = None
    for cpu in [
        name for name, supported in _core.cpu()["variants"].items() if supported and name != "scalar"
    ]:
        _core.select_cpu(cpu)
        for dtype in ("uint8", "float32"):
            rows, seconds = images.astype(dtype, copy=False), []
            for _ in range(7):
                labels = start.copy()
                before = time.perf_counter()
                _core.assign(rows, centers, labels, n_threads)
                seconds.append(time.perf_counter() - before)
            expected = labels if expected is None else expected
            same = "yes" if (labels == expected).all() else "NO"
            print(f"| {cpu} | {dtype} | {min(seconds) * 1e3:.0f} | {same} |")


if __name__ == "__main__":
    main()
