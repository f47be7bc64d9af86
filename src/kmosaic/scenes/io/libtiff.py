"""libtiff, which GDAL writes by: it prints on stderr what GDAL then reports as an error, too."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

_MAPS = Path("/proc/self/maps")
"""Which libraries are loaded, on Linux; elsewhere libtiff goes on printing."""


@functools.cache
def silence_libtiff() -> None:
    """Let each libtiff that is loaded print no errors from now on.

    For the rest of the process, since GDAL writes from several threads, and when it likes.
    """
    try:
        loaded = {line.split(maxsplit=5)[-1] for line in _MAPS.read_text().splitlines() if "libtiff" in line}
        for path in loaded:
            ctypes.CDLL(path).TIFFSetErrorHandler(None)
    except (OSError, ValueError, AttributeError):
        return
