"""What scenes from files and scenes from arrays share: scaled values of one dtype, and their valid pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kmosaic.scenes.io.mask_file import MaskFile
from kmosaic.scenes.io.raster_file import RasterFile
from kmosaic.scenes.io.read_options import ReadOptions, nodata_values, strip_dtype
from kmosaic.scenes.io.valid_pixels import BandValues, Mask, ValidPixels, missing_range
from kmosaic.scenes.scene import Band, Grid, Strip

# Values scaled at a time, so that their float64 copies stay small.
_SCALED_VALUES = 1 << 16


@dataclass(frozen=True)
class SourceBand:
    """A band to be read: how it is stored, its label in messages, and its (scale, offset)."""

    stored: Band
    label: str
    scale: tuple[float, float]


class BandScene:
    """The part of a ``Scene`` that does not depend on where values come from.

    A subclass reads stored values and masks in ``_fill``, and knows ``block_height`` and ``overhead_bytes``.
    ``sources`` are the bands to be read, in the order of a pixel's values; ``path`` is what the mask's error
    calls the scene, None its name.
    """

    def __init__(
        self,
        name: str,
        grid: Grid,
        sources: Sequence[SourceBand],
        options: ReadOptions,
        path: str | None = None,
    ) -> None:
        self.name = name
        self.grid = grid
        self.bands = tuple(source.stored for source in sources)
        scales = [source.scale if options.use_scale_offset else (1.0, 0.0) for source in sources]
        self.dtype = strip_dtype([band.dtype for band in self.bands], scales, name)
        self._scales = [(band, *scale) for band, scale in enumerate(scales) if scale != (1.0, 0.0)]
        nodata = nodata_values(self.bands, options, name)
        self._valid_pixels = ValidPixels(
            [
                BandValues(source.label, source.stored.dtype, missing_range(value, source.stored.dtype))
                for source, value in zip(sources, nodata, strict=True)
            ],
            options.missing,
        )
        self._mask = (
            MaskFile(options.mask, grid, path or name, network=options.network) if options.mask else None
        )

    def read(self, top: int, n_lines: int, out: NDArray[Any] | None = None) -> Strip:
        if top < 0 or n_lines < 1 or top + n_lines > self.grid.height:
            raise ValueError(
                f"lines {top} to {top + n_lines} are not within the {self.grid.height} of {self.name}"
            )
        values = np.empty((n_lines, self.grid.width, len(self.bands)), self.dtype) if out is None else out
        valid = self._valid_pixels.find(values, top, self._fill(top, values))
        self._scale(values)
        return Strip(top, values, valid)

    def _fill(self, top: int, values: NDArray[Any]) -> list[Mask]:
        """Read lines into ``values``, and return their masks."""
        raise NotImplementedError

    def _scale(self, values: NDArray[Any]) -> None:
        """Replace values by value * scale + offset, computed in float64 and rounded once."""
        step = max(1, _SCALED_VALUES // values.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):  # missing pixels may hold any value
            for band, scale, offset in self._scales:
                for first in range(0, len(values), step):
                    plane = values[first : first + step, :, band]
                    plane[...] = plane.astype(np.float64) * scale + offset

    @property
    def _raster_files(self) -> list[RasterFile]:
        """The raster files that are read, the mask's included."""
        return [self._mask.file] if self._mask else []

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that is read, as far as GDAL lists them: a VRT's sources, masks and sidecars, too."""
        return tuple(path for file in self._raster_files for path in file.files)

    def close(self) -> None:
        for file in self._raster_files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
