"""Labels of a scene's pixels, strip by strip: the nearest class of each, and how far it is from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import engines
from kmosaic.errors import DataError

if TYPE_CHECKING:
    from kmosaic.scenes.scaling import Scaling
    from kmosaic.scenes.scene import Strip

MISSING = -1
"""The label of a pixel that is missing."""


@dataclass(frozen=True, eq=False)
class TwoNearest:
    """The two classes nearest to a strip's pixels, each array (n_lines, width).

    ``nearest`` and ``second``, int32, are the nearest and the second-nearest class, -1 where the pixel is
    missing; ``distance`` and ``second_distance``, float32, how far these classes' centres are from it, in
    scaled units, NaN where it is missing.
    """

    nearest: NDArray[np.int32]
    second: NDArray[np.int32]
    distance: NDArray[np.float32]
    second_distance: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Classifier:
    """Classes to put pixels in: ``centers``, float64 (n_classes, n_bands), in units of ``scaling``."""

    centers: NDArray[np.float64]
    scaling: Scaling
    n_threads: int | None = None

    def label(self, strip: Strip) -> NDArray[np.int32]:
        """Return each pixel's nearest class, decided exactly, -1 where it is missing: (n_lines, width).

        Of several classes that are equally near it is the lowest.
        """
        return _spread(self._nearest(self.scaling.rows(strip.pixels())), strip, MISSING)

    def label_twice(self, strip: Strip) -> TwoNearest:
        """Return the two nearest classes of each pixel, and the distances to their centres.

        Raises
        ------
        DataError
            Where there is but one class.
        """
        if len(self.centers) < 2:
            raise DataError("there is but one class, so none is second-best; ask for 2 clusters or more")
        rows = self.scaling.rows(strip.pixels())
        nearest = self._nearest(rows)
        if len(rows) == 0:
            second, squares = np.empty(0, np.int32), np.empty((0, 2))
        else:
            found = engines.nearest_rows(rows, self.centers, 2, engines.resolve_n_threads(self.n_threads))
            # Where float64 cannot tell the two apart, the exact decision may be the other one.
            second = np.where(found.indices[:, 0] == nearest, found.indices[:, 1], found.indices[:, 0])
            squares = found.squared_distances
        distances = np.sqrt(squares).astype(np.float32)
        return TwoNearest(
            _spread(nearest, strip, MISSING),
            _spread(second, strip, MISSING),
            _spread(distances[:, 0], strip, math.nan),
            _spread(distances[:, 1], strip, math.nan),
        )

    def _nearest(self, rows: NDArray[Any]) -> NDArray[np.int32]:
        if len(rows) == 0:
            return np.empty(0, np.int32)
        return engines.nearest_centers(rows, self.centers, n_threads=self.n_threads)


def _spread(of_pixels: NDArray[Any], strip: Strip, missing: float) -> NDArray[Any]:
    """What is known of the pixels that are present, as lines of all pixels."""
    shape = strip.values.shape[:2]
    if strip.valid is None:
        return of_pixels.reshape(shape)
    lines = np.full(shape, missing, of_pixels.dtype)
    lines[strip.valid] = of_pixels
    return lines
