"""One raster file: opened, read in whole lines, closed, and opened again by another process."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.cluster.fields import printable_text
from kmosaic.errors import DataError
from kmosaic.scenes.gdal import block_height, gdal_settings, load_rasterio, open_dataset, reason
from kmosaic.scenes.grids import grid_of
from kmosaic.scenes.scene import Band, Grid
from kmosaic.scenes.sources import is_remote


class RasterFile:
    """A raster by path, or an open rasterio dataset, which is left open.

    What is pickled is the path. Methods may be called from any thread, by one at a time.
    """

    def __init__(self, source: Any, *, network: bool = False) -> None:
        self._owned = isinstance(source, str | os.PathLike)
        self._network = network or not self._owned or is_remote(os.fspath(source))
        if not self._owned and not hasattr(source, "read_masks"):
            raise DataError(f"{type(source).__name__} is no path and no rasterio dataset")
        self.path = printable_text(os.fspath(source) if self._owned else str(source.name))
        # Another process may have another working folder.
        self._absolute = os.fspath(source) if self._owned else str(source.name)
        if os.path.exists(self._absolute):
            self._absolute = os.path.abspath(self._absolute)
        self.dataset = open_dataset(os.fspath(source), network=network) if self._owned else source

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

    @cached_property
    def grid(self) -> Grid:
        """Where its pixels lie."""
        return grid_of(self.dataset)

    @cached_property
    def bands(self) -> list[Band]:
        """All its bands."""
        data = self.dataset
        return [
            Band(printable_text(description or "")[:200], dtype, None if nodata is None else float(nodata))
            for description, dtype, nodata in zip(
                data.descriptions, data.dtypes, data.nodatavals, strict=True
            )
        ]

    def scale(self, number: int) -> tuple[float, float]:
        """The scale and offset tags of a band, (1, 0) where it has none."""
        return float(self.dataset.scales[number - 1]), float(self.dataset.offsets[number - 1])

    @cached_property
    def alpha(self) -> int | None:
        """The number of its alpha band."""
        kinds = self._kinds()
        return next((number for number, kind in enumerate(kinds, 1) if kind == "alpha"), None)

    def is_palette(self, number: int) -> bool:
        """Whether a band holds indices into a table of colours."""
        return self._kinds()[number - 1] == "palette"

    def _kinds(self) -> list[str]:
        return [kind.name for kind in self.dataset.colorinterp]

    def block_height(self, number: int) -> int:
        """Lines that a band stores together."""
        return block_height(self.dataset, number)

    def mask_of(self, number: int) -> str:
        """GDAL's mask of a band: "dataset" (shared by all), "band", or "" for no more than nodata."""
        flags = {flag.name for flag in self.dataset.mask_flag_enums[number - 1]}
        if "all_valid" in flags or flags == {"nodata"}:
            return ""
        return "dataset" if "per_dataset" in flags else "band"

    def read(self, numbers: list[int], top: int, out: NDArray[Any]) -> None:
        """Read lines of bands into ``out``, (n_bands, n_lines, width), strided as it may be.

        Raises
        ------
        DataError
            Where they cannot be read.
        """
        self._read(self.dataset.read, numbers, top, out)

    def read_mask(self, number: int, top: int, n_lines: int) -> NDArray[np.bool_]:
        """Return where GDAL's mask of a band has pixels: (n_lines, width)."""
        mask = np.empty((1, n_lines, self.grid.width), np.uint8)
        self._read(self.dataset.read_masks, [number], top, mask)
        return np.asarray(mask[0] != 0)

    def _read(self, reader: Any, numbers: list[int], top: int, out: NDArray[Any]) -> None:
        window = ((top, top + out.shape[1]), (0, self.grid.width))
        with gdal_settings(network=self._network):
            try:
                reader(numbers, out=out, window=window)
            except (load_rasterio().errors.RasterioError, OSError, ValueError) as error:
                raise DataError(
                    f"{self.path} cannot be read in lines {top + 1} to {top + out.shape[1]}: {reason(error)}"
                ) from error

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._owned:
            with gdal_settings(network=self._network):
                self.dataset.close()
