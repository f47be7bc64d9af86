"""What a sweep measured: one run at a time, the table over seeds, and both as files."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from kmosaic.errors import DataError
from kmosaic.evaluate.recommend import Recommendation, recommend
from kmosaic.files import atomic_write

# A run takes about 400 bytes of JSON, so this is 150,000 runs; anything larger is not a sweep.
MAX_TABLE_BYTES = 1 << 26
_SIGNED = ("adjusted_rand", "silhouette", "stability")
_COUNTS = ("n_clusters", "n_train", "n_test", "n_sampled")
_LOWEST = {**dict.fromkeys(_SIGNED, -1.0), **dict.fromkeys(_COUNTS, 1.0)}
_FRACTIONS = (
    "homogeneity",
    "completeness",
    "v_measure",
    "accuracy_train",
    "accuracy_test",
    "largest_share",
    *_SIGNED,
)
_REMEDY = "make it again with `kmosaic sweep --json`"


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


@dataclass(frozen=True)
class Spread:
    """A column over the seeds: mean, least, most, and sample standard deviation (0 for one seed).

    ``count`` is the number of seeds it was measured for.
    """

    mean: float
    min: float
    max: float
    std: float
    count: int = 1


@dataclass(frozen=True)
class SweepTableRow:
    """All runs with one number of clusters: the spread of every column, None where it was not measured."""

    n_clusters: int
    n_seeds: int
    columns: Mapping[str, Spread | None]

    def __getitem__(self, column: str) -> Spread | None:
        return self.columns[column]

    def mean(self, column: str) -> float | None:
        """The column's mean over the seeds, or None where it was not measured."""
        spread = self.columns[column]
        return None if spread is None else spread.mean


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

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> SweepResult:
        """Read back what :meth:`to_json` wrote, checking every value; unknown further fields are left out.

        Raises
        ------
        DataError
            When the file cannot be read, or is not a list of runs.
        """
        text = _read_bounded(Path(path))
        try:
            entries = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: not JSON ({error}); {_REMEDY}") from error
        if not isinstance(entries, list):
            raise DataError(f"{path}: not a list of runs; {_REMEDY}")
        return cls(tuple(_run(entry, f"{path}: run {number}") for number, entry in enumerate(entries)))

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> SweepResult:
        """Read back what :meth:`to_csv` wrote, checking every value; unknown further columns are left out.

        Raises
        ------
        DataError
            When the file cannot be read, or is not a table of runs.
        """
        try:
            entries = list(csv.DictReader(_read_bounded(Path(path)).splitlines(), strict=True))
        except csv.Error as error:
            raise DataError(f"{path}: not CSV ({error}); write it again with SweepResult.to_csv") from error
        runs = ({name: _csv_value(name, text) for name, text in entry.items()} for entry in entries)
        return cls(tuple(_run(entry, f"{path}: line {number}") for number, entry in enumerate(runs, start=2)))


def _spread(values: Iterable[float | None]) -> Spread | None:
    measured = [float(value) for value in values if value is not None]
    if not measured:
        return None
    std = float(np.std(measured, ddof=1)) if len(measured) > 1 else 0.0
    mean = math.fsum(measured) / len(measured)
    return Spread(mean, min(measured), max(measured), std, len(measured))


def _read_bounded(path: Path) -> str:
    try:
        if not path.is_file():
            raise DataError(f"{path}: no such file; name one written by `kmosaic sweep`")
        with path.open("rb") as stream:
            data = stream.read(MAX_TABLE_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > MAX_TABLE_BYTES:
        raise DataError(f"{path}: more than {MAX_TABLE_BYTES} bytes, too large for the runs of a sweep")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text; name a file written by `kmosaic sweep`") from error


def _csv_value(name: str, text: str | None) -> Any:
    """A cell as JSON would have held it; what cannot be read stays text, and is refused by name later."""
    if text == "" or text is None:
        return None
    if name == "converged":
        return {"True": True, "False": False}.get(text, text)
    if name == "algorithm":
        return text
    for parse in (int, float):
        try:
            return parse(text)
        except ValueError:
            continue
    return text


def _run(entry: Any, where: str) -> SweepRun:
    if not isinstance(entry, dict):
        raise DataError(f"{where}: not an object; {_REMEDY}")
    missing = [
        item.name for item in fields(SweepRun) if item.name not in entry and "None" not in str(item.type)
    ]
    if missing:
        raise DataError(f"{where}: {', '.join(missing)} missing; {_REMEDY}")
    try:
        return SweepRun(
            **{
                item.name: _value(item.name, str(item.type), entry.get(item.name))
                for item in fields(SweepRun)
            }
        )
    except (ValueError, OverflowError) as error:
        raise DataError(f"{where}: {error}; {_REMEDY}") from error


def _value(name: str, kind: str, value: Any) -> Any:
    """The value, where it has the type the field is declared with and lies in its range."""
    if kind == "bool" or kind == "str":
        good = isinstance(value, bool if kind == "bool" else str)
    elif value is None:
        good = "None" in kind
    else:
        wanted = int if kind.startswith("int") else int | float
        good = isinstance(value, wanted) and not isinstance(value, bool) and math.isfinite(value)
        good = good and value >= _LOWEST.get(name, 0)
        good = good and (name not in _FRACTIONS or value <= 1.0 + 1e-9)
    if not good:
        raise ValueError(f"{name}={str(value)[:80]!r} is not a {kind} in range")
    return float(value) if kind.startswith("float") and value is not None else value
