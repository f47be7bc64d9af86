"""A raster that marks the valid pixels of a scene on the same grid."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from kmosaic.scenes.io.grids import check_same_grid
from kmosaic.scenes.io.raster_file import RasterFile
from kmosaic.scenes.io.valid_pixels import missing_range
from kmosaic.scenes.scene import Grid


class MaskFile:
    """Pixels are missing where the first band is 0, NaN or its own nodata value."""

    def __init__(
        self, path: str | os.PathLike[str], grid: Grid, scene: str, *, network: bool = False
    ) -> None:
        self.file = RasterFile(path, network=network)
        check_same_grid(grid, self.file.grid, (scene, self.file.path), classes=True)
        self._dtype = self.file.bands[0].dtype
        self._missing = missing_range(self.file.bands[0].nodata, self._dtype)

    @property
    def bytes_per_pixel(self) -> int:
        """Memory of ``read`` beside its result."""
        return int(np.dtype(self._dtype).itemsize)

    def read(self, top: int, n_lines: int) -> NDArray[np.bool_]:
        """Return which pixels of some lines are valid: (n_lines, width)."""
        values = np.empty((1, n_lines, self.file.grid.width), self._dtype)
        self.file.read([1], top, values)
        valid = np.asarray(values[0] != 0)
        if self._missing is not None:
            valid &= ~self._missing.holds(values[0])
        if values.dtype.kind == "f":
            valid &= ~np.isnan(values[0])
        return valid
