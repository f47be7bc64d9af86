"""One raster file: opened, read in whole lines, closed, and opened again by another process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.cluster.fields import printable_text
from kmosaic.errors import DataError
from kmosaic.scenes.gdal import block_height, gdal_at_work, open_dataset
from kmosaic.scenes.grids import grid_of
from kmosaic.scenes.scene import Band
from kmosaic.scenes.sources import is_remote

LONGEST_DESCRIPTION = 200


@dataclass(frozen=True)
class Meaning:
    """What a file says of one of its bands.

    ``scale`` is (scale, offset), (1, 0) where it has none; ``colour`` GDAL's colour interpretation, such as
    "alpha" and "palette"; ``flags`` are those of its mask.
    """

    scale: tuple[float, float]
    colour: str
    flags: frozenset[str]

    @property
    def mask(self) -> str:
        """The mask it has beside a nodata value: "dataset" (shared by all bands), "band", or "" for none."""
        if "all_valid" in self.flags or self.flags == {"nodata"}:
            return ""
        return "dataset" if "per_dataset" in self.flags else "band"


class RasterFile:
    """A raster by path, or an open rasterio dataset, which is left open.

    What is pickled is the path. Methods may be called from any thread, by one at a time.
    """

    def __init__(self, source: Any, *, network: bool = False) -> None:
        self._owned = isinstance(source, str | os.PathLike)
        if not self._owned and not hasattr(source, "read_masks"):
            raise DataError(f"{type(source).__name__} is no path and no rasterio dataset")
        path = os.fspath(source) if self._owned else str(source.name)
        self._network = network or not self._owned or is_remote(path)
        self.path = printable_text(path)
        # Another process may have another working folder.
        self._absolute = os.path.abspath(path) if os.path.exists(path) else path
        self._dataset = open_dataset(path, network=self._network) if self._owned else source
        self._look()

    def _look(self) -> None:
        """Ask at once for all there is to know: a damaged file is seen here."""
        data = self._dataset
        with gdal_at_work(f"{self.path} cannot be opened as a raster", network=self._network):
            self.grid = grid_of(data)
            self.files: tuple[str, ...] = tuple(data.files)  # a VRT's sources as well
            self.bands = [
                Band(
                    printable_text(description or "")[:LONGEST_DESCRIPTION],
                    dtype,
                    None if nodata is None else float(nodata),
                )
                for description, dtype, nodata in zip(
                    data.descriptions, data.dtypes, data.nodatavals, strict=True
                )
            ]
            self.meanings = [
                Meaning((float(scale), float(offset)), colour.name, frozenset(flag.name for flag in flags))
                for scale, offset, colour, flags in zip(
                    data.scales, data.offsets, data.colorinterp, data.mask_flag_enums, strict=True
                )
            ]
            self.block_height = block_height(data, network=self._network)
            self.block_bytes: int = max(
                height * width * np.dtype(band.dtype).itemsize
                for (height, width), band in zip(data.block_shapes, self.bands, strict=True)
            ) * (data.count if str(data.interleaving).endswith("pixel") else 1)
        colours = [meaning.colour for meaning in self.meanings]
        self.alpha = colours.index("alpha") + 1 if "alpha" in colours else None

    def __getstate__(self) -> dict[str, Any]:
        if not self._owned and not os.path.isfile(self._absolute):
            raise DataError(
                f"{self.path} is an open dataset without a file; other processes need one: write it"
            )
        return {"path": self.path, "absolute": self._absolute, "network": self._network}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["absolute"], network=state["network"])  # type: ignore[misc]
        self.path = state["path"]

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return os.path.basename(self.path) or self.path

    def read(self, numbers: list[int], top: int, out: NDArray[Any]) -> None:
        """Read lines of bands into ``out``, (n_bands, n_lines, width), strided as it may be.

        Raises
        ------
        DataError
            Where they cannot be read.
        """
        self._read(self._dataset.read, numbers, top, out)

    def read_mask(self, number: int, top: int, n_lines: int) -> NDArray[np.bool_]:
        """Return where GDAL's mask of a band has pixels: (n_lines, width)."""
        mask = np.empty((1, n_lines, self.grid.width), np.uint8)
        self._read(self._dataset.read_masks, [number], top, mask)
        return np.asarray(mask[0] != 0)

    def read_alpha(self, top: int, n_lines: int) -> NDArray[np.bool_]:
        """Return where its alpha band, which there must be, is not 0: (n_lines, width)."""
        assert self.alpha
        alpha = np.empty((1, n_lines, self.grid.width), self.bands[self.alpha - 1].dtype)
        self.read([self.alpha], top, alpha)
        return np.asarray(alpha[0] != 0)

    def _read(self, reader: Any, numbers: list[int], top: int, out: NDArray[Any]) -> None:
        window = ((top, top + out.shape[1]), (0, self.grid.width))
        failure = f"{self.path} cannot be read in lines {top + 1} to {top + out.shape[1]}"
        with gdal_at_work(failure, network=self._network):
            reader(numbers, out=out, window=window)

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._owned:
            with gdal_at_work(f"{self.path} cannot be closed", network=self._network):
                self._dataset.close()


@dataclass(frozen=True)
class RasterBand:
    """One band of a file, its number from 1."""

    file: RasterFile
    number: int

    @property
    def stored(self) -> Band:
        """How it is stored."""
        return self.file.bands[self.number - 1]

    @property
    def meaning(self) -> Meaning:
        """What the file says of it."""
        return self.file.meanings[self.number - 1]
