"""The valid pixels of a strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.models.validation import LARGEST_VALUE

# Pixels checked at a time, so that intermediate arrays stay in the processor's cache.
_PIXELS = 1 << 15
# From here on float64 does not hold every integer.
_LARGEST_WHOLE = 2.0**53


@dataclass(frozen=True)
class MissingRange:
    """The values of a band that stand for missing ones: from ``low`` to ``high``."""

    low: float
    high: float

    def holds(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return where values are missing."""
        if self.low == self.high:
            return np.asarray(values == values.dtype.type(self.low))
        return np.asarray((values >= self.low) & (values <= self.high))


def missing_range(nodata: float | None, dtype: str) -> MissingRange | None:
    """Return what a band of this dtype holds where its nodata value was meant; None where nothing can.

    Floats are compared as GDAL does, within a few units in the last place: tags are often written in too few
    digits. A value near the lowest or the highest float stands for that float.
    """
    if nodata is None or np.isnan(nodata):
        return None
    kind = np.dtype(dtype)
    if kind.kind != "f":
        info = np.iinfo("uint8" if kind.kind == "b" else kind)
        fits = float(nodata).is_integer() and info.min <= nodata <= info.max
        return MissingRange(nodata, nodata) if fits else None
    float_info = np.finfo(kind)
    if abs(nodata) >= float(float_info.max) * (1 - 1e-5):
        edge = nodata * (1 - 1e-5)
        return MissingRange(-np.inf, edge) if nodata < 0 else MissingRange(edge, np.inf)
    slack = 4 * float(float_info.eps) * abs(nodata)
    return MissingRange(nodata - slack, nodata + slack)


@dataclass(frozen=True)
class Mask:
    """Where some bands of a strip, or whole pixels (None), are valid: (n_lines, width) bool."""

    bands: tuple[int, ...] | None
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class BandValues:
    """A band's label in messages, its dtype as stored, and the values that mark missing pixels."""

    label: str
    dtype: str
    missing: MissingRange | None

    @property
    def nodata_may_be_measured(self) -> bool:
        """Whether the nodata value may be a measurement as well: 0 or 255 may, -9999 may not."""
        return np.dtype(self.dtype).kind in "bu"

    @property
    def is_wide(self) -> bool:
        """Whether it may hold integers that float64 does not."""
        return np.dtype(self.dtype).kind in "iu" and np.dtype(self.dtype).itemsize == 8


class ValidPixels:
    """Finds the valid pixels of strips; ``missing`` is "any" or "all", see ``ReadOptions``."""

    def __init__(self, bands: Sequence[BandValues], missing: str) -> None:
        self._bands = tuple(bands)
        self._all = missing == "all"

    def find(self, values: NDArray[Any], top: int, masks: Sequence[Mask]) -> NDArray[np.bool_] | None:
        """Return which pixels of lines (n_lines, width, n_bands) are valid; None: all of them.

        Raises DataError where a valid pixel holds infinity, a value beyond 1e100 or a whole number that
        float64 does not hold; under "all", where it lacks a band.
        """
        if values.dtype.kind != "f" and not masks and all(band.missing is None for band in self._bands):
            return None
        valid = np.ones(values.shape[:2], np.bool_)
        step = max(1, _PIXELS // max(1, values.shape[1]))
        for first in range(0, len(values), step):
            lines = slice(first, first + step)
            cut = [Mask(mask.bands, mask.valid[lines]) for mask in masks]
            check = self._where_all_are if self._all else self._where_any_is
            check(values[lines], valid[lines], cut, top + first)
            if values.dtype.kind == "f":
                self._refuse_unusable(values[lines], valid[lines], top + first)
        return None if valid.all() else valid

    def _where_any_is(
        self, values: NDArray[Any], valid: NDArray[np.bool_], masks: Sequence[Mask], _top: int
    ) -> None:
        for mask in masks:
            valid &= mask.valid
        for number, band in enumerate(self._bands):
            if band.missing is not None:
                valid &= ~band.missing.holds(values[..., number])
        if values.dtype.kind == "f" and np.isnan(values.min()):  # rare, and looking band by band is slow
            for number in range(len(self._bands)):
                valid &= ~np.isnan(values[..., number])

    def _where_all_are(
        self, values: NDArray[Any], valid: NDArray[np.bool_], masks: Sequence[Mask], top: int
    ) -> None:
        missing, lacking = np.ones(valid.shape, np.bool_), np.zeros(valid.shape, np.bool_)
        for number in range(len(self._bands)):
            no_value, nodata = self._missing(values, masks, number)
            missing &= no_value | nodata
            lacking |= no_value
        for mask in masks:
            if mask.bands is None:
                valid &= mask.valid
        valid &= ~missing
        if (lacking & valid).any():
            where = [self._missing(values, masks, number)[0] & valid for number in range(len(self._bands))]
            self._refuse(np.stack(where, axis=-1), top, "lacks", "leave such pixels out (missing='any')")

    def _missing(
        self, values: NDArray[Any], masks: Sequence[Mask], number: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Where a band has no value, and where it has its nodata value, which may be a measurement."""
        band, plane = self._bands[number], values[..., number]
        no_value = np.isnan(plane) if values.dtype.kind == "f" else np.zeros(plane.shape, np.bool_)
        for mask in masks:
            if mask.bands is not None and number in mask.bands:
                no_value |= ~mask.valid
        if band.missing is None:
            return no_value, no_value
        nodata = band.missing.holds(plane)
        return (no_value, nodata) if band.nodata_may_be_measured else (no_value | nodata, nodata)

    def _refuse_unusable(self, values: NDArray[Any], valid: NDArray[np.bool_], top: int) -> None:
        if float(values.min()) > -_LARGEST_WHOLE and float(values.max()) < _LARGEST_WHOLE:
            return
        with np.errstate(invalid="ignore"):
            beyond = np.abs(values) > LARGEST_VALUE if values.dtype == np.float64 else np.isinf(values)
        advice = "mask such pixels out (mask=), or give the value as nodata"
        if beyond.any():
            self._refuse(
                beyond & valid[..., np.newaxis], top, "holds infinity or a value beyond 1e100 in", advice
            )
        for number, band in enumerate(self._bands):
            if band.is_wide:
                large = np.zeros(values.shape, np.bool_)
                large[..., number] = (np.abs(values[..., number]) >= _LARGEST_WHOLE) & valid
                self._refuse(
                    large, top, "holds a whole number of more than 53 bits in", "convert the band to float64"
                )

    def _refuse(self, where: NDArray[np.bool_], top: int, what: str, advice: str) -> None:
        if where.any():
            line, column, number = (int(place) for place in np.argwhere(where)[0])
            raise DataError(
                f"line {top + line + 1}, column {column + 1} {what} {self._bands[number].label}; {advice}"
            )
