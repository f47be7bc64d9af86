"""kmosaic beside other libraries on shapes drawn at random: ``python -m benchmarks.shapes --seed 7``.

Prints a Markdown table with the ratio of the fastest peer's time to kmosaic's, and their geometric mean.
Every library gets the same starting centroids; rows are brought to the peer's dtype off the clock.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images

from benchmarks.data import DataOptions, Rows
from benchmarks.environment import environment
from benchmarks.libraries import KMOSAIC
from benchmarks.schedule import Options, Run, Schedule
from benchmarks.table import Summary, markdown, summaries
from benchmarks.workloads import EVERY_PEER, Kind, Workload
from kmosaic.files import atomic_write
from kmosaic.report.theme import DPI, THEMES, Theme, finish, new_figure, style_axes

MAX_VALUES = 10**8
ROWS, FEATURES, CLUSTERS = (2_000, 2_000_000), (1, 2_048), (2, 2_000)
MIN_ROWS_PER_CLUSTER = 10
ITERATIONS = 25
DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
AVX2 = "kmosaic, AVX2 only"
PEERS = {
    "fit": (*EVERY_PEER, "geokmeans"),
    "predict": ("scikit-learn lloyd", "scikit-learn-intelex", "FAISS", "SuperKMeans"),
    "transform": ("scikit-learn lloyd",),
}


@dataclass(frozen=True)
class Shape:
    """Rows to be generated, and into how many clusters."""

    name: str
    data: str
    dtype: str
    n: int
    d: int
    k: int
    seed: int

    @property
    def title(self) -> str:
        """Such as "float32 blobs, 20,000 x 64, k = 30"."""
        return f"{self.dtype} {self.data}, {self.n:,} x {self.d:,}, k = {self.k:,}"


def draw_shapes(seed: int, count: int) -> list[Shape]:
    """``count`` shapes: sizes uniform in their logarithms, kinds of data and dtypes as often."""
    rng = np.random.default_rng(seed)
    kinds = rng.permutation([list(DATA)[i % len(DATA)] for i in range(count)])
    dtypes = rng.permutation([DTYPES[i % len(DTYPES)] for i in range(count)])
    return [
        Shape(f"shape-{number:02}", str(kind), str(dtype), *_sizes(rng), seed=seed + number)
        for number, (kind, dtype) in enumerate(zip(kinds, dtypes, strict=True))
    ]


def _sizes(rng: np.random.Generator) -> tuple[int, int, int]:
    while True:
        n, d, k = (round(math.exp(rng.uniform(*np.log(ends)))) for ends in (ROWS, FEATURES, CLUSTERS))
        if n * d <= MAX_VALUES and k * MIN_ROWS_PER_CLUSTER <= n:
            return n, d, k


def rows_of(shape: Shape, _: DataOptions | None = None) -> Rows:
    """(n, d) rows of the shape's dtype: floats of unit size, or integers over all their range."""
    rng = np.random.default_rng(shape.seed)
    values = DATA[shape.data](rng, shape.n, shape.d)
    if np.dtype(shape.dtype).kind == "f":
        return values.astype(shape.dtype)
    low, high = np.quantile(values[:: max(1, shape.n // 10_000)], [0.0005, 0.9995])
    largest = np.iinfo(shape.dtype).max
    values -= low
    values *= largest / max(float(high - low), 1e-9)
    return np.clip(np.rint(values, out=values), 0, largest, out=values).astype(shape.dtype)


def _blobs(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float32]:
    n_blobs = int(rng.integers(5, 200))
    centers = rng.normal(0, rng.uniform(1, 4), (n_blobs, d)).astype(np.float32)
    values = rng.standard_normal((n, d), np.float32)
    values += centers[rng.integers(0, n_blobs, n)]
    return values


def _noise(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float32]:
    return rng.standard_normal((n, d), np.float32)


def _low_rank(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float32]:
    rank = max(1, min(d, int(rng.integers(4, 24))))
    values = rng.standard_normal((n, rank), np.float32) @ rng.standard_normal((rank, d), np.float32)
    values += 0.1 * rng.standard_normal((n, d), np.float32)
    return values


def _sparse(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float32]:
    values = rng.standard_normal((n, d), np.float32)
    values[values < 1.3] = 0  # nine tenths
    return values


def _images(rng: np.random.Generator, n: int, d: int) -> NDArray[np.float32]:
    """Squares of photographs, cut off after ``d`` values, brightened at random."""
    photos = np.stack(load_sample_images().images)
    side = math.ceil(math.sqrt(d / 3))
    at = [rng.integers(0, limit, n) for limit in (2, photos.shape[1] - side, photos.shape[2] - side)]
    values = np.empty((n, d), np.float32)
    for feature in range(d):
        y, x, channel = feature // 3 // side, feature // 3 % side, feature % 3
        values[:, feature] = photos[at[0], at[1] + y, at[2] + x, channel]
    values *= rng.uniform(0.7, 1.1, (n, 1)).astype(np.float32) / 255
    return values


DATA: dict[str, Callable[[np.random.Generator, int, int], NDArray[np.float32]]] = {
    "blobs": _blobs,
    "noise": _noise,
    "low rank": _low_rank,
    "sparse values": _sparse,
    "images": _images,
}


def workload(shape: Shape, kind: Kind, ours: Sequence[str] = (KMOSAIC,)) -> Workload:
    """The shape as one of the benchmark's workloads."""
    libraries = (*ours, *PEERS[kind])
    title = f"{kind}: {shape.title}"
    return Workload(shape.name, title, partial(rows_of, shape), shape.k, kind, ITERATIONS, libraries)


@dataclass(frozen=True)
class Ratio:
    """One shape's outcome: the fastest peer's time over kmosaic's."""

    shape: Shape
    ours: Summary
    peer: Summary

    @property
    def value(self) -> float:
        """Above 1 where kmosaic is faster."""
        return self.peer.seconds / self.ours.seconds

    @property
    def inertia(self) -> str:
        """kmosaic's inertia over the peer's, less 1."""
        if not self.ours.inertia or not self.peer.inertia:
            return ""
        return f"{self.ours.inertia / self.peer.inertia - 1:+.1e}"


def ratios(shapes: Sequence[Shape], runs: Sequence[Run], ours: str = KMOSAIC) -> list[Ratio]:
    """One for each shape that kmosaic and a peer have done."""
    found = []
    rows = summaries(runs)
    for shape in shapes:
        here = {row.library: row for row in rows if row.workload == shape.name}
        peers = [row for name, row in here.items() if not name.startswith(KMOSAIC)]
        if ours in here and peers:
            found.append(Ratio(shape, here[ours], min(peers, key=lambda row: row.seconds)))
    return found


def report(found: Sequence[Ratio]) -> str:
    """The Markdown table, and a line that sums it up."""
    header = ("rows", "kmosaic, s", "fastest peer", "its s", "ratio", "inertia over its, less 1")
    cells = [
        (
            each.shape.title,
            f"{each.ours.seconds:.3g}",
            each.peer.library,
            f"{each.peer.seconds:.3g}",
            f"{each.value:.2f}",
            each.inertia,
        )
        for each in sorted(found, key=lambda each: each.value)
    ]
    values = [each.value for each in found]
    below = sum(value < 1 for value in values)
    summary = (
        f"{len(values)} shapes: geometric mean {statistics.geometric_mean(values):.2f}, "
        f"least {min(values):.2f}, {below} below 1"
    )
    return f"{markdown(header, cells)}\n\n{summary}\n"


def heat_map(found: Sequence[Ratio], theme: Theme) -> Figure:
    """The ratios over features and clusters, a dot a shape."""
    figure = new_figure(820, 520, theme)
    axes = figure.add_subplot()
    logs = [math.log2(each.value) for each in found]
    limit = max(3.0, *(abs(value) for value in logs))
    dots = axes.scatter(
        [each.shape.d for each in found],
        [each.shape.k for each in found],
        c=logs,
        s=160,
        cmap="PuOr",
        vmin=-limit,
        vmax=limit,
        edgecolors=theme.text,
        linewidths=0.6,
    )
    axes.set(xscale="log", yscale="log", xlabel="features", ylabel="clusters")
    style_axes(axes, theme)
    bar = figure.colorbar(dots, ax=axes, label="times as fast as the fastest peer")
    ticks = range(-math.floor(limit), math.floor(limit) + 1)
    bar.set_ticks(list(ticks), labels=[f"{2.0**tick:g}" for tick in ticks])
    return figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit code."""
    options = _parser().parse_args(arguments)
    shapes = draw_shapes(options.seed, options.count)
    ours = AVX2 if options.avx2 else KMOSAIC
    if options.list:
        print("\n".join(f"{shape.name} {shape.title}" for shape in shapes))
        return 0
    page: dict[str, Any] = {"environment": environment(), "seed": options.seed, "count": options.count}
    page |= {"kind": options.kind, "kmosaic": ours}

    def keep(runs: list[Run]) -> None:
        if options.json:
            with atomic_write(options.json, overwrite=True) as temporary:
                temporary.write_text(json.dumps(page | {"runs": [asdict(run) for run in runs]}, indent=1))

    schedule = Schedule(Options(DataOptions(), options.rounds, options.limit, keep))
    libraries = (KMOSAIC, AVX2) if options.avx2 else (KMOSAIC,)
    interrupted = False
    try:
        schedule.run([workload(shape, options.kind, libraries) for shape in shapes])
    except KeyboardInterrupt:
        interrupted = True
        print("Interrupted: this is what was measured so far.", file=sys.stderr)
    found = ratios(shapes, schedule.runs, ours)
    print(report(found) if found else "nothing was measured\n", end="")
    for theme in THEMES.values() if options.plot and found else ():
        path = options.plot.with_name(f"{options.plot.stem}-{theme.name}.png")
        finish(heat_map(found, theme)).savefig(path, dpi=2 * DPI)
        print(path, file=sys.stderr)
    return 130 if interrupted else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shapes", description=__doc__)
    add = parser.add_argument
    add("--seed", type=int, default=1, help="draws the shapes and their rows (1)")
    add("--count", type=int, default=60, help="how many shapes (60)")
    add("--kind", choices=list(PEERS), default="fit", help="what is timed (fit)")
    add("--avx2", action="store_true", help="kmosaic without AVX-512, the others with it")
    add("--rounds", type=int, default=3, help="runs a library makes of each shape (3)")
    add("--limit", type=float, default=120, metavar="SECONDS", help="stop a run after this long (120)")
    add("--json", type=Path, metavar="FILE", help="keep every single run here")
    add("--plot", type=Path, metavar="FILE.png", help="draw the ratios over features and clusters")
    add("--list", action="store_true", help="name the shapes, and run none")
    return parser


if __name__ == "__main__":
    sys.exit(main())
