"""libtiff, by which Pillow reads and GDAL writes: it prints on stderr what they report as errors, too."""

from __future__ import annotations

import contextlib
import ctypes
import functools


@functools.cache
def silence_libtiff(extension: str) -> None:
    """Let the libtiff that an extension module uses print no errors from now on; ``extension`` is its file.

    For the rest of the process, since images are read and rasters written by several threads. Neither Pillow
    nor rasterio has a way to say so, and to lead stderr elsewhere meanwhile would lose what other threads
    write there. Symbols are looked up in the libraries that the extension is linked with; where the system
    does not do that (Windows), libtiff goes on printing.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(extension).TIFFSetErrorHandler(None)
