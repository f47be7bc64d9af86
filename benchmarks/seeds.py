"""Inertia over several seeds, of the libraries that do not go the same way from the same start.

python -m benchmarks.seeds [--only defaults 'mnist-*'] [--seeds 5] [--data-dir DIR]

Where libraries start from the same centroids, one run of each tells which ends lower. SuperKMeans draws its
own start, defaults and mini-batches draw seeds, and so luck decides between two runs: here are several of
each, and their means.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.data import DataOptions, Rows, distinct_rows
from benchmarks.libraries import LIBRARIES, Fit, Library, Task
from benchmarks.measure import inertia
from benchmarks.workloads import WORKLOADS, Workload

KMOSAIC = "kmosaic"
_KINDS_WITH_SEEDS = ("defaults", "seed", "minibatch")


@dataclass(frozen=True)
class Inertias:
    """One library's on one workload, seed by seed."""

    title: str
    library: str
    values: list[float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=["*"], help="names of workloads, or patterns of them")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args(arguments)
    data = DataOptions(options.data_dir)
    chosen = [
        workload
        for workload in WORKLOADS.values()
        if peers(workload) and any(fnmatch(workload.name, pattern) for pattern in options.only)
    ]
    print("| work | library | inertia, the mean | over kmosaic's mean, less 1 | each seed, likewise |")
    print("|---|---|---|---|---|")
    for workload in chosen:
        for line in lines(list(measured(workload, workload.rows(data), options.seeds))):
            print(line, flush=True)


def peers(workload: Workload) -> list[Library]:
    """The libraries that go another way than kmosaic there: they draw their own start, or batches."""
    if workload.kind not in ("fit", *_KINDS_WITH_SEEDS):
        return []
    return [
        library
        for library in (LIBRARIES[name] for name in workload.libraries)
        if not library.name.startswith(KMOSAIC)
        and workload.kind in library.kinds
        and (workload.kind in _KINDS_WITH_SEEDS or not library.takes_centers)
        and not library.missing()
    ]


def measured(workload: Workload, rows: Rows, n_seeds: int) -> Iterator[Inertias]:
    """kmosaic's inertias first, then the others', which get as many iterations where they cannot stop."""
    ours = [run(LIBRARIES[KMOSAIC], workload, rows, seed) for seed in range(n_seeds)]
    yield Inertias(workload.title, KMOSAIC, [inertia(rows, fit.centers) for fit in ours])
    for library in peers(workload):
        fits = (run(library, workload, rows, seed, ours[seed].n_iter) for seed in range(n_seeds))
        yield Inertias(workload.title, library.name, [inertia(rows, fit.centers) for fit in fits])


def run(library: Library, workload: Workload, rows: Rows, seed: int, n_iter: int | None = None) -> Fit:
    """One fit, or one draw of seeds."""
    prepared = rows if workload.kind == "defaults" else library.prepare(rows)
    if workload.kind == "seed":
        return Fit(library.seed(prepared, workload.k, seed), 0)
    if workload.kind == "minibatch":
        return library.fit_minibatch(prepared, Task(workload.k, seed=seed))
    if workload.kind == "defaults":
        return library.fit(prepared, Task(workload.k, seed=seed))
    centers = distinct_rows(rows, workload.k, seed) if library.takes_centers else None
    max_iter = workload.max_iter if library.stops_by_itself else n_iter
    return library.fit(prepared, Task(workload.k, centers, max_iter, seed))


def lines(found: Sequence[Inertias]) -> Iterator[str]:
    """Rows of a Markdown table; kmosaic's inertias come first."""
    ours = sum(found[0].values) / len(found[0].values)
    for each in found:
        mean = sum(each.values) / len(each.values)
        seeds = ", ".join(f"{value / ours - 1:+.1e}" for value in each.values)
        yield f"| {each.title} | {each.library} | {mean:.9g} | {mean / ours - 1:+.1e} | {seeds} |"


if __name__ == "__main__":
    main()
