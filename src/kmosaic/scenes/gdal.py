"""Opening rasters by rasterio: the only module that imports it to read."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from kmosaic.cluster.fields import printable_text
from kmosaic.engines import resolve_n_threads
from kmosaic.errors import DataError, MissingLibraryError
from kmosaic.scenes.sources import is_remote, refuse_hidden_sources

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
        import rasterio.crs
        import rasterio.enums
        import rasterio.errors
    except ImportError as error:
        raise MissingLibraryError("rasters are read by rasterio: pip install 'kmosaic[scenes]'") from error
    return rasterio  # type: ignore[no-any-return]


@functools.cache
def _n_threads() -> str:
    return str(resolve_n_threads(None))


# What a file takes in over the network without its being seen beforehand (in an archive, say) is asked of a
# proxy that is not there; and of all files on servers, only one of this name may be read.
_NO_NETWORK = {"GDAL_HTTP_PROXY": "http://0.0.0.0:1", "CPL_VSIL_CURL_ALLOWED_FILENAME": "none"}


@contextlib.contextmanager
def gdal_settings(*, network: bool) -> Iterator[None]:
    """GDAL as it is to be while it works for us: little cached, threads to decompress, no code out of files.

    Nor does it say anything on stderr. Settings are the thread's own, so each use has to be within.
    """
    with load_rasterio().Env(
        GDAL_CACHEMAX=CACHE_BYTES,
        GDAL_NUM_THREADS=_n_threads(),
        GDAL_VRT_ENABLE_PYTHON="NO",
        **({} if network else _NO_NETWORK),
    ):
        yield


def open_dataset(path: str, *, network: bool = False) -> Any:
    """Open a raster for reading.

    Raises
    ------
    DataError
        Where it is missing, no raster that GDAL knows, or takes in others over the network unasked.
    """
    rasterio = load_rasterio()
    if "\0" in path or not path:
        raise DataError(f"{path!r} is no file name")
    restricted = not network and not is_remote(path)
    if restricted:
        refuse_hidden_sources(path)
    with gdal_settings(network=not restricted), warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        try:
            dataset = rasterio.open(path)
        except (rasterio.errors.RasterioError, OSError, ValueError) as error:
            raise DataError(
                f"{printable_text(path)} cannot be opened as a raster: {reason(error)}"
            ) from error
    if dataset.count == 0:
        inside = ", ".join(dataset.subdatasets[:5]) or "nothing else"
        raise DataError(
            f"{printable_text(path)} has no bands of its own, but holds {printable_text(inside)}; name one"
        )
    return dataset


def reason(error: BaseException) -> str:
    """What GDAL said, on one line: rasterio's own error often says only that there is another."""
    told = error.__cause__ or error
    return printable_text(" ".join(str(told).split())[:300]) or type(told).__name__


def block_height(dataset: Any, number: int) -> int:
    """Lines that a band stores together; for a virtual raster, those of the first file it is made of."""
    own = int(dataset.block_shapes[number - 1][0])
    if dataset.driver != "VRT" or not dataset.files[1:]:
        return own
    try:
        with open_dataset(dataset.files[1]) as source:
            return max(own, int(source.block_shapes[0][0]))
    except DataError:  # found when it is read
        return own
