"""Opening rasters by rasterio: the only module that imports it to read."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from kmosaic.engines import resolve_n_threads
from kmosaic.errors import DataError, MissingLibraryError
from kmosaic.libtiff import silence_libtiff
from kmosaic.models.validation import printable_text
from kmosaic.scenes.io.sources import check_sources, refuse_special

CACHE_BYTES = 16 << 20
"""GDAL's block cache, which can be small: whole rows of blocks are read once."""


def load_rasterio() -> ModuleType:
    """Return rasterio. Raises MissingLibraryError where it is not installed."""
    try:
        import rasterio
        import rasterio.crs
        import rasterio.enums
        import rasterio.errors
    except ImportError as error:
        raise MissingLibraryError("rasters are read by rasterio: pip install 'kmosaic[scenes]'") from error
    return rasterio  # type: ignore[no-any-return]


@functools.cache
def n_threads() -> int:
    """Return how many threads decompress blocks."""
    return resolve_n_threads(None)


# For sources that check_sources cannot list, as those in an archive: requests go to a proxy that does not
# exist, and only remote files of an impossible name are allowed.
_NO_NETWORK = {"GDAL_HTTP_PROXY": "http://0.0.0.0:1", "CPL_VSIL_CURL_ALLOWED_FILENAME": "none"}


@contextlib.contextmanager
def gdal_env(failure: str, *, network: bool) -> Iterator[None]:
    """Run GDAL with a small cache, threads to decompress, no code from files and nothing on stderr.

    Settings belong to the thread, so every call of GDAL must be inside.

    Raises DataError where GDAL fails: ``failure``, and GDAL's message.
    """
    settings = {} if network else _NO_NETWORK
    rasterio = load_rasterio()
    with rasterio.Env(
        GDAL_CACHEMAX=CACHE_BYTES, GDAL_NUM_THREADS=str(n_threads()), GDAL_VRT_ENABLE_PYTHON="NO", **settings
    ):
        silence_libtiff(rasterio._base.__file__)
        try:
            yield
        except DataError:
            raise
        except Exception as error:  # GDAL's own errors, which rasterio lets through, have no public class
            raise DataError(f"{failure}: {_reason(error)}") from error


def open_dataset(path: str, *, network: bool) -> Any:
    """Open a raster for reading.

    Raises DataError where it is missing, no raster that GDAL knows, takes in others over the network unasked,
    or any that is no regular file.
    """
    rasterio = load_rasterio()
    shown = printable_text(path)
    if "\0" in path or not path:
        raise DataError(f"{shown!r} is no file name")
    check_sources(path, network=network)
    failure = f"{shown} cannot be opened as a raster"
    if os.path.isdir(path):  # which some rasters are, so GDAL is asked all the same
        failure += " (it is a folder: name the files in it)"
    with gdal_env(failure, network=network), warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        dataset = rasterio.open(path)
        try:
            for file in dataset.files:  # of formats that only GDAL knows to name others, and in archives
                refuse_special(file)
        except DataError:
            dataset.close()
            raise
        if dataset.count == 0:
            inside = printable_text(", ".join(dataset.subdatasets[:5]))[:400] or "nothing else"
            dataset.close()
            raise DataError(f"{shown} has no bands of its own, but holds {inside}; name one")
    return dataset


def _reason(error: Exception) -> str:
    """GDAL's message, on one line: rasterio's own error often only points to it."""
    cause = error.__cause__ or error
    return printable_text(" ".join(str(cause).split())[:300]) or type(cause).__name__


def block_height(dataset: Any, *, network: bool) -> int:
    """Lines that bands store together; for a virtual raster, those of the first file it is made of."""
    own = max(int(height) for height, _ in dataset.block_shapes)
    if dataset.driver != "VRT" or not dataset.files[1:]:
        return own
    try:
        with open_dataset(dataset.files[1], network=network) as source:
            return max(own, int(source.block_shapes[0][0]))
    except DataError:  # reported when it is read
        return own
