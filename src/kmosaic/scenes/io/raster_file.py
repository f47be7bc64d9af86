"""One raster file: opened, read in whole lines, closed, and opened again by another process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.models.validation import printable_text
from kmosaic.scenes.io.gdal_env import block_height, gdal_env, open_dataset
from kmosaic.scenes.io.grids import grid_of
from kmosaic.scenes.io.sources import is_remote
from kmosaic.scenes.scene import Band

LONGEST_DESCRIPTION = 200


@dataclass(frozen=True)
class BandMetadata:
    """A band's scale, colour interpretation and mask flags.

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
        self._read_metadata()

    def _read_metadata(self) -> None:
        """Read all metadata at once, so that a damaged file is refused here."""
        data = self._dataset
        with gdal_env(f"{self.path} cannot be opened as a raster", network=self._network):
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
            self.metadata = [
                BandMetadata(
                    scale=(float(scale), float(offset)),
                    colour=colour.name,
                    flags=frozenset(flag.name for flag in flags),
                )
                for scale, offset, colour, flags in zip(
                    map(float, data.scales),
                    map(float, data.offsets),
                    data.colorinterp,
                    data.mask_flag_enums,
                    strict=True,
                )
            ]
            self.block_height = block_height(data, network=self._network)
            self.block_bytes: int = max(
                height * width * np.dtype(band.dtype).itemsize
                for (height, width), band in zip(data.block_shapes, self.bands, strict=True)
            ) * (data.count if str(data.interleaving).endswith("pixel") else 1)
        colours = [entry.colour for entry in self.metadata]
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
        return os.path.basename(self.path) or self.path

    def read(self, numbers: list[int], top: int, out: NDArray[Any]) -> None:
        """Read lines of bands into ``out``, (n_bands, n_lines, width), strided as it may be.

        Raises DataError where they cannot be read.
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
        with gdal_env(failure, network=self._network):
            reader(numbers, out=out, window=window)

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._owned:
            with gdal_env(f"{self.path} cannot be closed", network=self._network):
                self._dataset.close()


@dataclass(frozen=True)
class RasterBand:
    """One band of a file, its number from 1."""

    file: RasterFile
    number: int

    @property
    def stored(self) -> Band:
        return self.file.bands[self.number - 1]

    @property
    def metadata(self) -> BandMetadata:
        return self.file.metadata[self.number - 1]
