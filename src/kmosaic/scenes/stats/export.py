"""Statistics of classes as tables: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import io
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.csv_table import write_rows
from kmosaic.files import atomic_write, check_suffix
from kmosaic.scenes.stats.class_statistics import ClassSizes, ClassStatistics

TABLE_SUFFIXES = (".csv", ".json")


@dataclass(frozen=True, eq=False)
class StatisticsTable:
    """The statistics of a map's classes, as a table.

    ``values``, ``names`` and ``mean_squared_distances`` (in squared scaled units) are one a class;
    ``bands`` are the bands' descriptions, "" where there is none.
    """

    values: tuple[int, ...]
    names: tuple[str, ...]
    bands: tuple[str, ...]
    sizes: ClassSizes
    statistics: ClassStatistics
    mean_squared_distances: NDArray[np.float64]

    @property
    def band_names(self) -> tuple[str, ...]:
        """A name for each band, no two the same."""
        numbered = [name or f"band {number}" for number, name in enumerate(self.bands, 1)]
        again = {name for name in numbered if numbered.count(name) > 1}
        return tuple(
            f"{name} (band {number})" if name in again else name for number, name in enumerate(numbered, 1)
        )

    def header(self) -> list[str]:
        """The columns of the CSV table."""
        bands = [f"{kind} {name}" for kind in ("mean", "deviation") for name in self.band_names]
        sizes = ["pixels", "share", "area m2"]
        return ["class", "name", *sizes, *bands, "mean squared distance", "nearest class", "separability"]

    def rows(self) -> list[list[Any]]:
        """One row a class; what is not known is empty."""
        statistics = self.statistics
        apart = [
            "" if near is None else float(statistics.separability[label, near])
            for label, near in enumerate(statistics.nearest)
        ]
        return [
            [
                value,
                self.names[label],
                int(self.sizes.pixels[label]),
                float(self.sizes.shares[label]),
                "" if self.sizes.areas is None else float(self.sizes.areas[label]),
                *_cells(statistics.means[label]),
                *_cells(statistics.deviations[label]),
                *_cells(self.mean_squared_distances[label : label + 1]),
                "" if (near := statistics.nearest[label]) is None else self.values[near],
                apart[label],
            ]
            for label, value in enumerate(self.values)
        ]

    def document(self) -> dict[str, Any]:
        """The same and more as JSON has it: covariances, and the separability of every two classes."""
        statistics = self.statistics
        classes = [
            {
                "class": value,
                "name": self.names[label],
                "pixels": int(self.sizes.pixels[label]),
                "share": float(self.sizes.shares[label]),
                "area_m2": None if self.sizes.areas is None else float(self.sizes.areas[label]),
                "mean": _numbers(statistics.means[label]),
                "deviation": _numbers(statistics.deviations[label]),
                "covariance": _numbers(statistics.covariances[label]),
                "mean_squared_distance": _numbers(self.mean_squared_distances)[label],
                "separability": _numbers(statistics.separability[label]),
            }
            for label, value in enumerate(self.values)
        ]
        return {
            "bands": list(self.band_names),
            "pixels_missing": self.sizes.missing,
            "separability": "Jeffries-Matusita distance to each class, in their order, 0 to 2",
            "classes": classes,
        }


def write_statistics(
    path: str | os.PathLike[str], table: StatisticsTable, *, overwrite: bool = False
) -> None:
    """Write a table as CSV or JSON, by the file's suffix, whole or not at all.

    Raises OutputError when the suffix is another, or the file exists and ``overwrite`` is false, or cannot be
    written.
    """
    check_suffix(path, TABLE_SUFFIXES)
    if Path(path).suffix.lower() == ".json":
        text = json.dumps(table.document(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        text = _csv(table)
    with atomic_write(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def _csv(table: StatisticsTable) -> str:
    stream = io.StringIO(newline="")
    write_rows(stream, table.header(), table.rows())
    return stream.getvalue()


def _cells(numbers: NDArray[np.float64]) -> list[Any]:
    return ["" if math.isnan(number) else number for number in numbers.tolist()]


def _numbers(array: NDArray[np.float64]) -> Any:
    """Nested lists, in which what is not known is None: JSON has no NaN."""
    known = array.astype(object)
    known[np.isnan(array)] = None
    return known.tolist()
