"""Opening rasters by rasterio: the only module that imports it to read."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from kmosaic.errors import DataError, MissingLibraryError

CACHE_BYTES = 16 << 20
"""What GDAL may keep of blocks it has read: whole rows of blocks are read once, so little is of use again."""


def load_rasterio() -> ModuleType:
    """Return rasterio.

    Raises
    ------
    MissingLibraryError
        Where it is not installed.
    """
    try:
        import rasterio
        import rasterio.io
    except ImportError as error:
        raise MissingLibraryError("scenes are read by rasterio: pip install 'kmosaic[scenes]'") from error
    return rasterio  # type: ignore[no-any-return]


@contextlib.contextmanager
def gdal_settings() -> Iterator[None]:
    """GDAL as it is to be while it works for us: little cached, no code out of files run, nothing said on
    stderr.

    Settings are the thread's own, so each read has to be within.
    """
    with load_rasterio().Env(GDAL_CACHEMAX=CACHE_BYTES, GDAL_VRT_ENABLE_PYTHON="NO"):
        yield


def open_dataset(path: str | os.PathLike[str]) -> Any:
    """Open a raster for reading.

    Raises
    ------
    DataError
        Where it is missing, or no raster that GDAL knows.
    """
    rasterio = load_rasterio()
    with gdal_settings(), warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        try:
            return rasterio.open(os.fspath(path))
        except (rasterio.errors.RasterioError, OSError, ValueError) as error:
            raise DataError(f"{os.fspath(path)} cannot be opened as a raster: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """What GDAL said, on one line: rasterio's own error often says only that there is another."""
    told = error.__cause__ or error
    return " ".join(str(told).split())[:300] or type(told).__name__
