"""What a page holds of a scene's pixels: their classes, a picture, and their values where they fit."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.report.tiles import data_uri, jpeg, png

if TYPE_CHECKING:
    from kmosaic.scenes.preview import Quicklook

MAX_CLASSES = 255
"""A class takes a byte, and 0 stands for missing pixels."""

# Of the page's few MB; base64 makes 3 bytes 4.
_VALUES_BYTES = 2_000_000
_PNG_BYTES = 300_000
_QUALITY = 90
_LEVELS = 65535
_DARK, _BRIGHT = 2, 98  # percentiles


@dataclass(frozen=True)
class Picture:
    """A picture as a ``data:`` address; what is black and what white in each band shown, dark to bright."""

    uri: str
    ranges: tuple[tuple[float, float], ...]
    lossy: bool


def packed(plane: NDArray[np.uint8]) -> str:
    """Return lines of bytes as text: differences along each line, in zlib's format, in base64.

    >>> plane = np.array([[7, 8, 8]], np.uint8)
    >>> list(zlib.decompress(base64.b64decode(packed(plane))))
    [7, 1, 0]
    """
    differences = plane.copy()
    differences[:, 1:] -= plane[:, :-1]
    return base64.b64encode(zlib.compress(differences.tobytes(), 9)).decode("ascii")


def labels_plane(labels: NDArray[np.int32]) -> str:
    """Return labels from 0, -1 where missing, as bytes from 1, 0 where missing."""
    return packed((labels + 1).astype(np.uint8))


def values_planes(look: Quicklook) -> list[dict[str, Any]] | None:
    """Return each band's values as bytes: ``low`` + (the first plane + 256 x the second) x ``step``.

    Whole numbers within 65535 of each other are exact, others to a 131,070th of their range. None where they
    would make the page too large.
    """
    present = look.labels >= 0
    bands, n_bytes = [], 0
    for band in np.moveaxis(look.values, 2, 0):
        low, step, codes = _coded(band, present)
        planes = [packed((codes & 255).astype(np.uint8))]
        if codes.max() > 255:
            planes.append(packed((codes >> 8).astype(np.uint8)))
        n_bytes += sum(map(len, planes)) * 3 // 4
        if n_bytes > _VALUES_BYTES:
            return None
        bands.append({"low": low, "step": step, "planes": planes})
    return bands


def _coded(band: NDArray[Any], present: NDArray[np.bool_]) -> tuple[float, float, NDArray[np.int64]]:
    codes = np.zeros(band.shape, np.int64)
    values = band[present].astype(np.float64)
    if values.size == 0:
        return 0.0, 1.0, codes
    low, reach = float(values.min()), float(values.max()) - float(values.min())
    whole = reach <= _LEVELS and bool((values == np.rint(values)).all())
    step = 1.0 if whole or reach == 0 else reach / _LEVELS
    codes[present] = np.rint((values - low) / step).astype(np.int64)
    return low, step, codes


def picture(look: Quicklook) -> Picture:
    """Return the scene as a reader sees it, each band stretched between two percentiles of its pixels."""
    present = look.labels >= 0
    shown = np.zeros((*present.shape, 3), np.uint8)
    ranges = []
    for place, band in enumerate(look.rgb):
        values = look.values[..., band][present].astype(np.float64)
        dark, bright = (
            (float(edge) for edge in np.percentile(values, (_DARK, _BRIGHT))) if values.size else (0, 1)
        )
        reach = bright - dark if bright > dark else 1.0
        shown[..., place][present] = np.rint(np.clip((values - dark) / reach, 0, 1) * 255)
        ranges.append((dark, bright))
    exact = png(shown)
    if len(exact) <= _PNG_BYTES:
        return Picture(data_uri(exact, "image/png"), tuple(ranges), lossy=False)
    return Picture(data_uri(jpeg(shown, _QUALITY), "image/jpeg"), tuple(ranges), lossy=True)
