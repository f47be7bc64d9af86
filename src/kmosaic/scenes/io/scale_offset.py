"""Values brought to their units by the bands' own tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Lines are taken a few at a time, so that float64 copies stay small.
_VALUES = 1 << 16


class Scales:
    """Values become value * scale + offset, computed in float64 and rounded once.

    Parameters
    ----------
    tags : (scale, offset) of each band
    """

    def __init__(self, tags: Sequence[tuple[float, float]]) -> None:
        self._tags = [(band, *tag) for band, tag in enumerate(tags) if tag != (1.0, 0.0)]

    def apply(self, values: NDArray[Any]) -> None:
        """Scale lines (n_lines, width, n_bands) in place."""
        step = max(1, _VALUES // values.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):  # what is missing may be anything
            for first in range(0, len(values), step):
                for band, scale, offset in self._tags:
                    plane = values[first : first + step, :, band]
                    plane[...] = plane.astype(np.float64) * scale + offset
