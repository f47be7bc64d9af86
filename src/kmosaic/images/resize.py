"""Bringing an image of one size to another by a named policy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Pillow's BILINEAR is a triangle filter as wide as the reduction asks for: no aliasing when shrinking, and,
# unlike bicubic and Lanczos, no value outside the image's own range.
_FILTER = Image.Resampling.BILINEAR


def resize_picture(picture: Image.Image, size: tuple[int, int], fit: str) -> Image.Image:
    """``picture`` (mode L, RGB or F) at ``size`` (height, width) by the policy ``fit``.

    "pad" keeps the whole image and its proportions, centred on black (0); "crop" keeps the proportions and
    the middle, and cuts what is over; "stretch" keeps the whole image and not its proportions. An image of
    the right size is returned as it is.

    >>> np.asarray(resize_picture(Image.new("L", (4, 2), 255), (2, 2), "pad")).tolist()
    [[255, 255], [0, 0]]
    """
    height, width = size
    if picture.size == (width, height):
        return picture
    if fit == "stretch":
        return picture.resize((width, height), _FILTER)
    if fit == "crop":
        # One call cuts and shrinks: a 1 x 10,000,000 image is never first enlarged to cover the target.
        return picture.resize((width, height), _FILTER, box=_middle(picture.size, (width, height)))
    inner = padded_size(picture.size, (width, height))
    canvas = Image.new(picture.mode, (width, height), 0)
    canvas.paste(picture.resize(inner, _FILTER), ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return canvas


def resize_array(image: NDArray[Any], size: tuple[int, int], fit: str) -> NDArray[Any]:
    """``image``, (h, w) or (h, w, c) of any real dtype, at ``size`` as :func:`resize_picture`; same dtype.

    Integers are rounded to nearest; floats are resampled in float32.

    >>> resize_array(np.full((4, 4), 65535, np.uint16), (2, 2), "pad").tolist()
    [[65535, 65535], [65535, 65535]]
    """
    if image.shape[:2] == size:
        return image
    if image.dtype == np.uint8 and (image.ndim == 2 or image.shape[2] == 3):
        return np.asarray(resize_picture(Image.fromarray(image), size, fit))
    if image.ndim == 3:
        bands = [resize_array(image[:, :, band], size, fit) for band in range(image.shape[2])]
        return np.stack(bands, axis=2)
    picture = Image.fromarray(np.ascontiguousarray(image, dtype=np.float32))
    resized = np.asarray(resize_picture(picture, size, fit))
    if image.dtype.kind in "iu":
        resized = np.rint(resized)
    return resized.astype(image.dtype)


def padded_size(given: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """The largest (width, height) of ``given``'s proportions inside ``target``; no side below one pixel."""
    scale = min(target[0] / given[0], target[1] / given[1])
    width, height = round(given[0] * scale), round(given[1] * scale)
    return min(max(width, 1), target[0]), min(max(height, 1), target[1])


def _middle(given: tuple[int, int], target: tuple[int, int]) -> tuple[float, float, float, float]:
    """The largest box of ``target``'s proportions in the middle of an image of size ``given``."""
    scale = min(given[0] / target[0], given[1] / target[1])
    width, height = min(given[0], target[0] * scale), min(given[1], target[1] * scale)
    left, top = (given[0] - width) / 2, (given[1] - height) / 2
    return left, top, min(given[0], left + width), min(given[1], top + height)
