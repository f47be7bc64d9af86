"""Bands brought to one scale: how, and by how much, computed from all pixels, exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.cluster.fields import check_one_of, finite_number
from kmosaic.errors import DataError
from kmosaic.scenes.moments import PIXELS, FloatMoments, IntegerCounts, Moments
from kmosaic.scenes.scene import Scene

METHODS = ("none", "standard", "min-max", "percentile")
Progress = Callable[[int, int], None]
"""Called with the lines done, and how many there are: lines of all passes over the scene."""


@dataclass(frozen=True)
class Scaling:
    """Values become (value - shift) * factor, band by band.

    Parameters
    ----------
    method : "none", "standard", "min-max" or "percentile"
        What shift and factor were computed from: nothing; mean and deviation; lowest and highest value; two
        percentiles.
    shift, factor : tuple of a number a band
        Finite; factors above 0.
    constant : tuple of int
        Bands, from 0, that have a spread of 0: their factor is 1, and they tell no pixels apart.
    """

    method: str
    shift: tuple[float, ...]
    factor: tuple[float, ...]
    constant: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_one_of("method", self.method, METHODS)
        if not self.shift or len(self.shift) != len(self.factor):
            raise ValueError(
                f"{len(self.shift)} shifts and {len(self.factor)} factors; one of each a band is needed"
            )
        for number in (*self.shift, *self.factor):
            finite_number("shift and factor", number)
        if min(self.factor) <= 0:
            raise ValueError(f"factor={min(self.factor)} must be above 0")

    @classmethod
    def none(cls, n_bands: int) -> Scaling:
        """Leave bands as they are."""
        return cls("none", (0.0,) * n_bands, (1.0,) * n_bands)

    @property
    def n_bands(self) -> int:
        """Bands it is for."""
        return len(self.shift)

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """What rows are, where values are ``dtype``: the same under "none", else float32."""
        return dtype if self.method == "none" else np.dtype(np.float32)

    def rows(self, values: NDArray[Any], out: NDArray[np.float32] | None = None) -> NDArray[Any]:
        """Return pixels (n, n_bands), none of them missing, scaled: float32, computed in float64 and
        rounded once.

        Under "none" they are returned themselves, and ``out`` is left alone.

        Raises
        ------
        DataError
            Where a value leaves float32's range.
        """
        if self.method == "none":
            return values
        rows = np.empty(values.shape, np.float32) if out is None else out
        if values.dtype.kind == "u":
            for band, table in enumerate(_tables(self.shift, self.factor, values.dtype.name)):
                rows[:, band] = table[values[:, band]]
            return rows
        for first in range(0, len(values), PIXELS):
            self._scale(values[first : first + PIXELS], rows[first : first + PIXELS])
        return rows

    def _scale(self, values: NDArray[Any], rows: NDArray[np.float32]) -> None:
        with np.errstate(over="ignore"):
            np.multiply(values - np.array(self.shift), np.array(self.factor), out=rows, casting="same_kind")
        if not np.isfinite(rows).all():
            raise DataError(
                "values lie so far from those the scaling was computed from that float32 cannot hold them"
            )

    def unscale(self, centers: NDArray[Any]) -> NDArray[np.float64]:
        """Return centres (n, n_bands) in the bands' own units, float64."""
        return np.asarray(centers, np.float64) / np.array(self.factor) + np.array(self.shift)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; ``from_dict`` reads it back to the bit."""
        return {
            "method": self.method,
            "shift": list(self.shift),
            "factor": list(self.factor),
            "constant": list(self.constant),
        }

    @classmethod
    def from_dict(cls, given: Any) -> Scaling:
        """Return what ``to_dict`` gave; nothing is taken on trust.

        Raises
        ------
        ValueError
            Where it is anything else.
        """
        if not isinstance(given, dict) or set(given) != {"method", "shift", "factor", "constant"}:
            raise ValueError("a scaling must have method, shift, factor and constant, and nothing else")
        lists = [given[name] for name in ("shift", "factor", "constant")]
        if not all(isinstance(entry, list) for entry in lists):
            raise ValueError("shift, factor and constant of a scaling must be lists")
        shift, factor, constant = lists
        numbers = [
            tuple(finite_number("shift and factor", value) for value in entry) for entry in (shift, factor)
        ]
        if not all(type(band) is int and 0 <= band < len(shift) for band in constant):
            raise ValueError("constant bands of a scaling must be numbers of bands, from 0")
        return cls(given["method"], numbers[0], numbers[1], tuple(constant))


@lru_cache(maxsize=8)
def _tables(shift: tuple[float, ...], factor: tuple[float, ...], dtype: str) -> NDArray[np.float32]:
    """What each value of an integer dtype becomes in each band: (n_bands, n_values)."""
    values = np.arange(int(np.iinfo(dtype).max) + 1, dtype=np.float64)
    scaled = (values - np.array(shift)[:, np.newaxis]) * np.array(factor)[:, np.newaxis]
    return scaled.astype(np.float32)


def fit_scaling(scene: Scene, method: str, strip_lines: int, progress: Progress | None = None) -> Scaling:
    """Compute a scaling from all pixels of a scene that are present, reading ``strip_lines`` lines at a time.

    How many lines are read at a time changes no bit of it.

    Raises
    ------
    DataError
        Where no pixel is present, or as ``Scene.read``.
    """
    check_one_of("method", method, METHODS)
    if method == "none":
        return Scaling.none(len(scene.bands))
    moments = _moments(scene, strip_lines, progress)
    return _scaling(method, [m.mean for m in moments], [m.deviation for m in moments])


def _moments(scene: Scene, strip_lines: int, progress: Progress | None) -> list[Moments]:
    if scene.dtype.kind == "u":
        counts = IntegerCounts(len(scene.bands), scene.dtype)
        for pixels in _pixels(scene, strip_lines, progress):
            counts.add(pixels)
        return counts.moments()
    sums = FloatMoments(len(scene.bands))
    for pixels in _pixels(scene, strip_lines, progress):
        sums.add(pixels)
    return sums.result()


def _pixels(scene: Scene, strip_lines: int, progress: Progress | None) -> Iterator[NDArray[Any]]:
    """One pass over the pixels that are present."""
    height, width = scene.grid.height, scene.grid.width
    buffer = np.empty((min(strip_lines, height), width, len(scene.bands)), scene.dtype)
    n_pixels = 0
    for top in range(0, height, strip_lines):
        n_lines = min(strip_lines, height - top)
        pixels = scene.read(top, n_lines, buffer[:n_lines]).pixels()
        n_pixels += len(pixels)
        yield pixels
        if progress:
            progress(top + n_lines, height)
    if not n_pixels:
        raise DataError(f"{scene.name} has no pixel that is present: all is nodata or masked")


def _scaling(method: str, shift: Sequence[float], spread: Sequence[float]) -> Scaling:
    factor = [1 / value if value > 0 and math.isfinite(1 / value) else 0.0 for value in spread]
    constant = tuple(band for band, value in enumerate(factor) if value == 0)
    return Scaling(method, tuple(shift), tuple(value or 1.0 for value in factor), constant)
