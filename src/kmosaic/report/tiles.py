"""Images and centroids as 8-bit tiles for the eye, and those tiles as PNG."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

if TYPE_CHECKING:
    from kmosaic.models.image_model import ImageFormat

_STRIPE = 0.25  # a vector that is no image is drawn as a bar code, a quarter as high as it is wide


@dataclass(frozen=True)
class DisplayRange:
    """The pixel values that are shown as black and as white."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:,.6g} is black, {self.high:,.6g} is white"


def display_range(pixels: ArrayLike, format: ImageFormat) -> DisplayRange:
    """Return the values to show as black and white: for uint8 its whole range, else what the data reach.

    12-bit images in 16-bit files would be nearly black, and standardised floats cut off, on their type's own
    scale.

    >>> from kmosaic.models.image_model import ImageFormat
    >>> display_range([[0, 7]], ImageFormat(1, 2, 1, "uint8", 255))
    DisplayRange(low=0.0, high=255.0)
    >>> display_range([[-2.0, 4095.0]], ImageFormat(1, 2, 1, "float32", 1.0))
    DisplayRange(low=-2.0, high=4095.0)
    """
    if format.dtype == "uint8":
        return DisplayRange(0.0, float(format.max_value) or 1.0)
    values = np.asarray(pixels)
    if values.size == 0:
        return DisplayRange(0.0, float(format.max_value) or 1.0)
    low = min(0.0, float(values.min()))
    high = float(values.max())
    return DisplayRange(low, high if high > low else low + 1.0)


def tile_shape(format: ImageFormat) -> tuple[int, ...]:
    """Return ``(height, width)`` for grey, ``(height, width, channels)`` otherwise."""
    if format.channels == 1:
        return (format.height, format.width)
    return (format.height, format.width, format.channels)


def tile_size(format: ImageFormat) -> tuple[float, float]:
    """Return the (height, width) of a tile in image pixels; vectors that are no image become bar codes."""
    if min(format.height, format.width) > 1:
        return float(format.height), float(format.width)
    length = max(format.height, format.width)
    return (length * _STRIPE, float(length)) if format.height == 1 else (float(length), length * _STRIPE)


def tiles(rows: ArrayLike, format: ImageFormat, shown: DisplayRange | None = None) -> NDArray[np.uint8]:
    """Return rows of pixel values, of any number type, as 8-bit tiles: (n, height, width[, 3]).

    Values outside ``shown``, by default those of :func:`display_range`, are cut off. One or two channels are
    shown as grey (the first), four or more by their first three.

    >>> from kmosaic.models.image_model import ImageFormat
    >>> tiles([[0.0, 0.5, 1.0, 2.0]], ImageFormat(2, 2, 1, "float32", 1.0), DisplayRange(0, 1)).tolist()
    [[[0, 128], [255, 255]]]
    """
    values = np.asarray(rows)
    shown = shown or display_range(values, format)
    shape = tile_shape(format)
    values = values.reshape(len(values), *shape)
    if len(shape) == 3:
        values = values[..., :3] if shape[2] >= 3 else values[..., 0]
    if values.dtype == np.uint8 and (shown.low, shown.high) == (0.0, 255.0):
        return values
    scaled = (values.astype(np.float64) - shown.low) * (255.0 / (shown.high - shown.low))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def largest_side(n_tiles: int, *, pixel_budget: int = 1_500_000) -> int:
    """Return the side that ``n_tiles`` tiles may have so that a page of them stays small: 16 to 96 pixels.

    >>> largest_side(10), largest_side(400), largest_side(10_000)
    (96, 61, 16)
    """
    return max(16, min(96, math.isqrt(pixel_budget // max(1, n_tiles))))


def reduced(tile: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return ``tile`` with no side longer than ``side``, averaged over boxes; bar codes as they are.

    >>> reduced(np.zeros((200, 100, 3), np.uint8), 50).shape
    (50, 25, 3)
    """
    if max(tile.shape[:2]) <= side or min(tile.shape[:2]) == 1:
        return tile
    image = Image.fromarray(tile)
    image.thumbnail((side, side), Image.Resampling.BOX)
    return np.asarray(image)


def png(tile: NDArray[np.uint8]) -> bytes:
    """Return one tile as a PNG file, without loss."""
    buffer = io.BytesIO()
    Image.fromarray(tile).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def jpeg(tile: NDArray[np.uint8], quality: int) -> bytes:
    """Return a picture as a JPEG file; each pixel keeps its own colour, as tiles of a sheet touch."""
    buffer = io.BytesIO()
    # Without optimize: on noise, Pillow then runs out of its buffer.
    Image.fromarray(tile).save(buffer, format="JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def data_uri(content: bytes, media_type: str) -> str:
    """Return ``content`` as a ``data:`` address, so that a page carries its pictures itself.

    >>> data_uri(b"k", "image/png")
    'data:image/png;base64,aw=='
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
