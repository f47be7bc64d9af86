"""Images as whole numbers for superpixels: Oklab of colours, other channels as shares of the range."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from kmosaic.engines.colour_points import CHROMA_OFFSET, UNIT, ColourSpace
from kmosaic.engines.superpixels import MAX_FEATURE
from kmosaic.errors import DataError

CHROMA_WEIGHT = 2
"""Oklab's chroma counts this much: see decision record 0034."""
LAB_UNIT = UNIT / 100
"""What is 1 in Lab, whose brightness goes to 100."""

_CHROMA_SHIFT = CHROMA_WEIGHT * CHROMA_OFFSET - 12288
_WEIGHT_BITS = 16


def features(
    image: NDArray[Any], inside: NDArray[np.bool_] | None, *, lab: bool, n_threads: int
) -> NDArray[np.uint16]:
    """Features (..., channels) of an image (..., channels), whose values are spread from 0 to 1 first.

    Raises DataError where a value inside is NaN or infinite.
    """
    if lab and image.dtype == np.uint8 and (inside is None or inside.all()):
        low, high = image.min(), image.max()
        if low == 0 and high == 255:
            return _oklab(image, n_threads)
    shares = _shares(image, inside)
    if lab:
        return _oklab(_rounded(shares, 65535), n_threads)
    return _rounded(shares, UNIT)


def _rounded(shares: NDArray[np.float64], full: int) -> NDArray[np.uint16]:
    shares *= full
    return np.rint(shares, out=shares).astype(np.uint16)


def _shares(image: NDArray[Any], inside: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """Values less the lowest, in units of the range, of pixels inside; those outside are 0."""
    values = image.astype(np.float64)
    if inside is not None:
        values[~inside] = values[inside][0] if inside.any() else 0
    if not np.isfinite(values).all():
        raise DataError("image has NaN or infinite values; mask them: slic(..., mask=np.isfinite(image))")
    low, high = float(values.min()), float(values.max())
    if not math.isfinite(high - low):  # halved, the range of every image fits
        values /= 2
        low, high = low / 2, high / 2
    values -= low
    if high > low:
        values /= high - low
    return values


def _oklab(colours: NDArray[Any], n_threads: int) -> NDArray[np.uint16]:
    points = ColourSpace("oklab").points(colours.reshape(-1, 3), n_threads)
    # A line at a time: NumPy takes long over rows of three. Chroma reaches -0.32, so none gets below 0.
    width = colours.shape[-2]
    lines = points.reshape(-1, 3 * width)
    lines *= np.tile(np.array([1, CHROMA_WEIGHT, CHROMA_WEIGHT], np.uint16), width)
    lines -= np.tile(np.array([0, _CHROMA_SHIFT, _CHROMA_SHIFT], np.uint16), width)
    return points.reshape(colours.shape)


def smoothed(values: NDArray[np.uint16], sigma: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Values (depth, height, width, channels) after a Gaussian filter, in whole numbers.

    Weights are multiples of 2**-16, and what lies beyond an edge is reflected. SciPy sums float64, which
    holds these sums exactly, so that every machine has the same.
    """
    for axis, deviation in enumerate(sigma.tolist()):
        if deviation <= 0:
            continue
        sums = correlate1d(values.astype(np.float64), _gaussian(deviation), axis=axis, mode="reflect")
        values = np.floor((sums + 2 ** (_WEIGHT_BITS - 1)) / 2**_WEIGHT_BITS).astype(np.uint16)
    return np.minimum(values, MAX_FEATURE)


def _gaussian(deviation: float) -> NDArray[np.float64]:
    radius = max(1, int(4 * deviation + 0.5))
    shape = [math.exp(-0.5 * (x / deviation) ** 2) for x in range(radius + 1)]
    total = shape[0] + 2 * sum(shape[1:])
    side = [round(2**_WEIGHT_BITS * value / total) for value in shape[1:]]
    middle = 2**_WEIGHT_BITS - 2 * sum(side)
    return np.array([*reversed(side), middle, *side], np.float64)
