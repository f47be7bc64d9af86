"""Which pixels of a strip are present."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError

# Pixels looked at together, so that what is worked out about them stays in the cache.
_PIXELS = 1 << 16


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
    """Return what a band of this dtype has where its nodata value was meant; None where no value can be.

    Floats are compared as GDAL does, within a few units in the last place: nodata tags are often written in
    too few digits. What lies within those of the lowest or the highest float is meant to be it.
    """
    if nodata is None or np.isnan(nodata):
        return None
    kind = np.dtype(dtype)
    if kind.kind != "f":
        fits = float(nodata).is_integer() and np.iinfo(kind).min <= nodata <= np.iinfo(kind).max
        return MissingRange(nodata, nodata) if fits else None
    info = np.finfo(kind)
    if abs(nodata) >= float(info.max) * (1 - 1e-5):
        return MissingRange(-np.inf, nodata) if nodata < 0 else MissingRange(nodata, np.inf)
    slack = 4 * float(info.eps) * abs(nodata)
    return MissingRange(nodata - slack, nodata + slack)


def present(
    values: NDArray[Any], ranges: Sequence[MissingRange | None], name: str, top: int
) -> NDArray[np.bool_] | None:
    """Return which pixels of lines (n_lines, width, n_bands) have all bands, (n_lines, width); None: every
    pixel.

    Raises
    ------
    DataError
        Where a pixel that is present holds infinity.
    """
    if values.dtype.kind != "f" and not any(ranges):
        return None
    valid = np.ones(values.shape[:2], np.bool_)
    step = max(1, _PIXELS // max(1, values.shape[1]))
    for first in range(0, len(values), step):
        _look(values[first : first + step], valid[first : first + step], ranges, (name, top + first))
    return None if valid.all() else valid


def _look(
    values: NDArray[Any],
    valid: NDArray[np.bool_],
    ranges: Sequence[MissingRange | None],
    place: tuple[str, int],
) -> None:
    for band, missing in enumerate(ranges):
        if missing is not None:
            valid &= ~missing.holds(values[..., band])
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    valid &= ~np.isnan(values).any(axis=-1)
    infinite = np.isinf(values) & valid[..., np.newaxis]
    if infinite.any():
        line, column, band = np.argwhere(infinite)[0]
        name, top = place
        raise DataError(
            f"{name} holds infinity in band {band + 1}, line {top + line + 1}, column {column + 1}; "
            "mask such pixels out (mask=), or declare the value nodata"
        )
