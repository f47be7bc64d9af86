"""The classifier: the nearest classes of a strip's pixels, and the distances to their centres."""

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

MISSING_LABEL = -1  # what Coding.encoded turns into 0 or 255


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
    """A nearest-centre classifier: ``centers``, float64 (n_classes, n_bands), are in units of ``scaling``."""

    centers: NDArray[np.float64]
    scaling: Scaling
    n_threads: int | None = None

    def label(self, strip: Strip) -> NDArray[np.int32]:
        """Return each pixel's nearest class, decided exactly, -1 where it is missing: (n_lines, width).

        Ties go to the lowest class.
        """
        return _as_lines(self._nearest(self.scaling.rows(strip.pixels())), strip, MISSING_LABEL)

    def two_nearest(self, strip: Strip) -> TwoNearest:
        """Return the two nearest classes of each pixel, and the distances to their centres.

        Raises DataError where there is but one class.
        """
        if len(self.centers) < 2:
            raise DataError("there is but one class, so none is second-best; ask for 2 clusters or more")
        rows = self.scaling.rows(strip.pixels())
        nearest = self._nearest(rows)
        if len(rows) == 0:
            second, squares = np.empty(0, np.int32), np.empty((0, 2))
        else:
            neighbours = engines.nearest_rows(
                rows, self.centers, 2, engines.resolve_n_threads(self.n_threads)
            )
            # Where both distances are equal in float64, the exact decision may be the second neighbour.
            first, last = neighbours.indices.T
            second = np.where(first == nearest, last, first)
            squares = neighbours.squared_distances
        distances = np.sqrt(squares).astype(np.float32)
        return TwoNearest(
            _as_lines(nearest, strip, MISSING_LABEL),
            _as_lines(second, strip, MISSING_LABEL),
            _as_lines(distances[:, 0], strip, math.nan),
            _as_lines(distances[:, 1], strip, math.nan),
        )

    def _nearest(self, rows: NDArray[Any]) -> NDArray[np.int32]:
        if len(rows) == 0:
            return np.empty(0, np.int32)
        return engines.nearest_centers(rows, self.centers, n_threads=self.n_threads)


def _as_lines(pixel_values: NDArray[Any], strip: Strip, missing: float) -> NDArray[Any]:
    """A value for each valid pixel, as lines of all pixels with ``missing`` in the others."""
    shape = strip.values.shape[:2]
    if strip.valid is None:
        return pixel_values.reshape(shape)
    lines = np.full(shape, missing, pixel_values.dtype)
    lines[strip.valid] = pixel_values
    return lines
