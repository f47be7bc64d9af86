"""What a sweep measured: one run at a time, the table over seeds, and both as files."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from kmosaic.evaluate.recommend import Recommendation, recommend
from kmosaic.evaluate.table import Spread, SweepTableRow
from kmosaic.files import atomic_write


@dataclass(frozen=True)
class SweepRun:
    """One fit of a sweep and its scores; None where there was nothing to measure a score with.

    ``inertia_raw`` is in squared raw pixel values, ``inertia_scaled`` is the same with pixels scaled to 0..1.
    The label scores are of the training rows, and need labels; ``accuracy_test`` needs a test set too.
    ``silhouette`` and ``stability`` (the mean adjusted Rand index against the other seeds' labels) are
    measured on at most 2,000 images, where there are no labels. ``fit_seconds`` is the fit alone;
    ``peak_memory_bytes`` is the most the whole process had resident during the fit, sampled. ``n_train`` and
    ``n_test`` are the images fitted on and tested with, ``n_sampled`` those that silhouette and stability
    were measured on; None where there were none, or where it is not known. ``largest_share`` is the
    part of the training images that the largest cluster has.
    """

    n_clusters: int
    seed: int
    algorithm: str
    inertia_raw: float
    inertia_scaled: float
    homogeneity: float | None
    completeness: float | None
    v_measure: float | None
    adjusted_rand: float | None
    accuracy_train: float | None
    accuracy_test: float | None
    silhouette: float | None
    stability: float | None
    n_iter: int
    converged: bool
    fit_seconds: float
    peak_memory_bytes: int
    n_train: int | None = None
    n_test: int | None = None
    n_sampled: int | None = None
    largest_share: float | None = None


TABLE_COLUMNS = tuple(
    entry.name for entry in fields(SweepRun) if entry.name not in ("n_clusters", "seed", "algorithm")
)


@dataclass(frozen=True, eq=False)
class SweepResult:
    """Every run of a sweep, by rising n_clusters and then in the order of the seeds.

    ``models`` holds, where the sweep was asked to keep them, the fitted estimator of least inertia for each
    n_clusters.
    """

    runs: tuple[SweepRun, ...]
    models: Mapping[int, Any] = field(default_factory=dict)

    def table(self) -> tuple[SweepTableRow, ...]:
        """Give one row for each n_clusters, with every column's spread over the seeds."""
        by_n_clusters: dict[int, list[SweepRun]] = {}
        for run in self.runs:
            by_n_clusters.setdefault(run.n_clusters, []).append(run)
        return tuple(
            SweepTableRow(
                n_clusters=n_clusters,
                n_seeds=len(runs),
                columns={name: _spread(getattr(run, name) for run in runs) for name in TABLE_COLUMNS},
            )
            for n_clusters, runs in sorted(by_n_clusters.items())
        )

    @property
    def has_scores(self) -> bool:
        """Whether any run has a score: of labels, or of stability and silhouette where there are none."""
        names = ("homogeneity", "accuracy_train", "accuracy_test", "stability", "silhouette")
        return any(getattr(run, name) is not None for run in self.runs for name in names)

    def recommend(self, tolerance: float = 0.01) -> Recommendation:
        """Recommend a number of clusters; see :func:`kmosaic.evaluate.recommend.recommend`."""
        return recommend(self.table(), tolerance=tolerance)

    def to_json(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the runs as a JSON list of objects, whole or not at all.

        Raises
        ------
        OutputError
            When the file exists and ``overwrite`` is false, or cannot be written.
        """
        text = json.dumps([asdict(run) for run in self.runs], indent=2, allow_nan=False)
        with atomic_write(path, overwrite=overwrite) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")

    def to_csv(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write one line a run under a line of column names; empty where a score was not measured.

        Raises
        ------
        OutputError
            When the file exists and ``overwrite`` is false, or cannot be written.
        """
        with (
            atomic_write(path, overwrite=overwrite) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as stream,
        ):
            writer = csv.DictWriter(stream, [entry.name for entry in fields(SweepRun)])
            writer.writeheader()
            writer.writerows(asdict(run) for run in self.runs)


def _spread(values: Iterable[float | None]) -> Spread | None:
    measured = [float(value) for value in values if value is not None]
    if not measured:
        return None
    std = float(np.std(measured, ddof=1)) if len(measured) > 1 else 0.0
    mean = math.fsum(measured) / len(measured)
    return Spread(mean, min(measured), max(measured), std, len(measured))
