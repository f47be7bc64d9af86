"""The call a person makes, KMeans(256).fit(MNIST), beside the same call of other libraries.

Each fit runs in a process of its own, the libraries in turn, so that a change in the machine's mood hits all
alike. Prints medians of time and of added peak memory, with the inertia each reached:

    python benchmarks/mnist_fit.py --runs 3 [--clusters 256] [--data-dir DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

PEERS = {"kmosaic": "kmosaic", "scikit-learn": "sklearn", "scikit-learn-intelex": "sklearnex"}


def make_estimator(library: str, n_clusters: int, seed: int) -> Any:
    """The library's KMeans with all its defaults."""
    if library == "kmosaic":
        from kmosaic import KMeans
    elif library == "scikit-learn":
        from sklearn.cluster import KMeans
    else:
        from sklearnex.cluster import KMeans
    return KMeans(n_clusters, random_state=seed)


def run_one(library: str, n_clusters: int, seed: int, data_dir: str | None) -> dict[str, Any]:
    """Fit once in this process and measure it."""
    from kmosaic.images import ReadOptions, load_dataset

    images = load_dataset("mnist", ReadOptions(data_dir=Path(data_dir) if data_dir else None)).train.pixels
    make_estimator(library, 2, 0).fit(images[:100])  # whatever a first call loads
    before = reset_peak_memory()
    start = time.perf_counter()
    model = make_estimator(library, n_clusters, seed).fit(images)
    seconds = time.perf_counter() - start
    added = memory_line("VmHWM") - before
    centers = np.asarray(model.cluster_centers_, dtype=np.float64)
    return {
        "library": library,
        "seed": seed,
        "seconds": seconds,
        "added_peak_bytes": added,
        "inertia": exact_inertia(images, centers),
        "n_iter": int(model.n_iter_),
    }


def reset_peak_memory() -> int:
    """Forget this process's peak of resident memory (Linux only); return what is resident now, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory_line("VmRSS")


def memory_line(name: str) -> int:
    """One line of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))


def exact_inertia(images: np.ndarray, centers: np.ndarray) -> float:
    """J of the images at these centroids, by kmosaic's exact arithmetic, whoever found them."""
    from kmosaic.engines import MemoryEngine

    engine = MemoryEngine(images, None, 2)
    return engine.inertia(engine.assign(centers).partial, centers)


def main() -> None:
    """Run every installed library in turn and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--clusters", type=int, default=256)
    parser.add_argument("--data-dir")
    parser.add_argument("--json")
    parser.add_argument("--one", nargs=2, metavar=("LIBRARY", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(run_one(options.one[0], options.clusters, int(options.one[1]), options.data_dir)))
        return
    libraries = [name for name, module in PEERS.items() if importlib.util.find_spec(module)]
    arguments = ["--clusters", str(options.clusters)] + (
        ["--data-dir", options.data_dir] if options.data_dir else []
    )
    fits = []
    for seed in range(options.runs):
        for library in libraries:
            command = [sys.executable, __file__, *arguments, "--one", library, str(seed)]
            fits.append(
                json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            )
            print(json.dumps(fits[-1]), file=sys.stderr)
    print_table(libraries, fits)
    if options.json:
        Path(options.json).write_text(json.dumps(fits, indent=2))


def print_table(libraries: list[str], fits: list[dict[str, Any]]) -> None:
    """Medians by library, and how many times kmosaic's time they took."""

    def median(library: str, column: str) -> float:
        return statistics.median(fit[column] for fit in fits if fit["library"] == library)

    print("| library | seconds | ratio | added peak memory, MB | inertia, raw values | iterations |")
    print("|---|---|---|---|---|---|")
    for library in libraries:
        ratio = median(library, "seconds") / median("kmosaic", "seconds")
        print(
            f"| {library} | {median(library, 'seconds'):.1f} | {ratio:.1f} "
            f"| {median(library, 'added_peak_bytes') / 1e6:.0f} | {median(library, 'inertia'):.6g} "
            f"| {median(library, 'n_iter'):.0f} |"
        )


if __name__ == "__main__":
    main()
