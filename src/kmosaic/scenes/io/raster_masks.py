"""Masks of raster files: alpha bands, mask bands, and a file that is nothing but a mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmosaic.scenes.io.mask_file import MaskFile
from kmosaic.scenes.io.raster_file import RasterBand, RasterFile
from kmosaic.scenes.io.read_options import ReadOptions
from kmosaic.scenes.io.valid_pixels import Mask


@dataclass(frozen=True)
class _Plane:
    """The alpha band of a file, or GDAL's mask of a band, and the features that it goes for."""

    band: RasterBand
    features: tuple[int, ...]

    @property
    def is_alpha(self) -> bool:
        return self.band.number == self.band.file.alpha

    @property
    def bytes_per_pixel(self) -> int:
        return int(np.dtype(self.band.stored.dtype).itemsize) if self.is_alpha else 1

    def read(self, top: int, n_lines: int) -> NDArray[np.bool_]:
        if self.is_alpha:
            return self.band.file.read_alpha(top, n_lines)
        return self.band.file.read_mask(self.band.number, top, n_lines)


class RasterMasks:
    """All masks of ``bands``, in the order of the features; the file ``mask`` goes for whole pixels."""

    def __init__(self, bands: Sequence[RasterBand], mask: MaskFile | None, options: ReadOptions) -> None:
        self._mask = mask
        self._any = options.missing == "any"
        files = dict.fromkeys(band.file for band in bands)
        self._planes = [plane for file in files for plane in _planes(file, bands, options)]

    @property
    def bytes_per_pixel(self) -> int:
        """Upper bound on the memory of ``read``, its result included."""
        kept = bool(self._planes or self._mask) if self._any else len(self._planes) + bool(self._mask)
        read = [plane.bytes_per_pixel for plane in self._planes]
        return int(kept) + max([*read, *([self._mask.bytes_per_pixel] if self._mask else []), 0]) + bool(read)

    def read(self, top: int, n_lines: int) -> list[Mask]:
        """Return the masks of lines; under "any", at most one, of whole pixels."""
        masks = [Mask(None, self._mask.read(top, n_lines))] if self._mask else []
        for plane in self._planes:
            valid = plane.read(top, n_lines)
            if not self._any:
                masks.append(Mask(plane.features, valid))
            elif masks:
                masks[0].valid[:] &= valid
            else:
                masks.append(Mask(None, valid))
        return masks


def _planes(file: RasterFile, bands: Sequence[RasterBand], options: ReadOptions) -> Iterator[_Plane]:
    """Those of a file: a mask that all its bands share once, and an alpha band in its place."""
    features = [feature for feature, band in enumerate(bands) if band.file is file]
    if file.alpha and file.alpha not in [bands[feature].number for feature in features]:
        yield _Plane(RasterBand(file, file.alpha), tuple(features))
    shared = [feature for feature in features if bands[feature].metadata.mask == "dataset"]
    # A dataset's NODATA_VALUES are a mask to GDAL; values that are given take their place.
    overridden = options.nodata is not None and "nodata" in file.metadata[0].flags
    if shared and not file.alpha and not overridden:
        yield _Plane(bands[shared[0]], tuple(shared))
    for feature in features:
        if bands[feature].metadata.mask == "band":
            yield _Plane(bands[feature], (feature,))
