"""Arrays of images: their shape, the brightness their numbers mean, and bringing them to another form."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.images.collection import ImageCollection, ReadOptions
from kmosaic.images.memory_check import check_memory
from kmosaic.images.resize import resize_array
from kmosaic.models.image_model import ImageFormat
from kmosaic.models.validation import DTYPES
from kmosaic.text import count

_INTEGER_MAX = {"uint8": 255.0, "uint16": 65535.0}
# A block's float64 values stay in the cache's neighbourhood: 64 images of 28 x 28 are 400 kB.
_BLOCK = 64


def as_pixel_dtype(arrays: Sequence[NDArray[Any]], where: str) -> list[NDArray[Any]]:
    """All arrays in one of uint8, uint16, float32 and float64, C-contiguous, in the machine's byte order.

    Arrays that are so already are passed on, not copied. Other integers become uint8 if all lie in 0..255,
    else uint16; float16 becomes float32, booleans become 0 and 255.

    Raises DataError when the values are no numbers, not finite, or integers outside 0..65535.
    """
    kinds = {"i" if array.dtype.kind == "u" else array.dtype.kind for array in arrays}
    if not kinds <= set("bif") or len(kinds) > 1:
        given = " and ".join(str(array.dtype) for array in arrays)
        raise DataError(
            f"{where} has pixels of dtype {given}; integers are needed, or floats, the same throughout"
        )
    if kinds == {"b"}:
        return [np.ascontiguousarray(array) * np.uint8(255) for array in arrays]
    common = np.result_type(*(array.dtype for array in arrays)).newbyteorder("=")
    if common.kind == "f":
        common = np.dtype(np.float32 if common.itemsize <= 4 else np.float64)
        with np.errstate(over="ignore"):  # what a long double holds and float64 does not becomes infinity
            arrays = [np.ascontiguousarray(array, dtype=common) for array in arrays]
        for array in arrays:
            _check_finite(array, where)
    elif common.name not in DTYPES:
        common = _narrow(arrays, where)
    return [np.ascontiguousarray(array, dtype=common) for array in arrays]


def full_brightness(arrays: Sequence[NDArray[Any]], model: ImageFormat | None = None) -> float:
    """The value that means full brightness in arrays whose source does not state it.

    255 for uint8 and 65535 for uint16. For floats 1 if no value is above 1; 255 or 65535 if the largest is
    more than half of that and not above it; else the largest itself.

    For images that are to meet a ``model``, the least of 1 (floats only), the model's own full brightness
    (floats, and integers of the model's dtype), 255 and 65535 that is not below the largest value; so images
    saved in the model's units are taken as they are, and so are floats with negative values, which no such
    scale fits.

    >>> full_brightness([np.array([[0.0, 16.0]])]), full_brightness([np.array([[0.0, 254.0]])])
    (16.0, 255.0)
    """
    dtype = arrays[0].dtype
    largest = max(float(array.max()) for array in arrays)
    if model is not None:
        if dtype.kind == "f" and min(float(array.min()) for array in arrays) < 0:
            return model.max_value
        own = [model.max_value] if dtype.kind == "f" or dtype.name == model.dtype else []
        scales = sorted([*own, *([1.0, 255.0, 65535.0] if dtype.kind == "f" else [_INTEGER_MAX[dtype.name]])])
        return next((scale for scale in scales if scale >= largest), largest)
    if dtype.kind != "f":
        return _INTEGER_MAX[dtype.name]
    if largest <= 1:
        return 1.0
    return next((scale for scale in (255.0, 65535.0) if scale / 2 < largest <= scale), largest)


def as_image_shape(
    array: NDArray[Any], options: ReadOptions, where: str, model: ImageFormat | None = None
) -> NDArray[Any]:
    """The array as (n, height, width, channels); a view.

    Images are (n, h, w), (n, h, w, 1), (n, h, w, 3), or rows (n, d): of the model's shape if d fits it, else
    of ``options.size``, else square, grey before RGB.

    Raises DataError when there are no images or pixels, or the shape is none of these.
    """
    if array.ndim == 2:
        unsized = model is None and options.size is None
        if unsized and array.dtype.kind == "f" and array.size and array.min() < 0:
            warnings.warn(
                f"{where} has rows with negative numbers, taken for images; if they are vectors, such as "
                "embeddings, give them by --vectors (in Python, kmosaic.vectors.load_vectors)",
                stacklevel=2,
            )
        array = array.reshape(len(array), *_row_shape(array.shape[1], options, where, model))
    if array.ndim == 3:
        array = array[..., np.newaxis]
    if array.ndim != 4 or array.shape[3] not in (1, 3):
        hint = "; move the channels to the end" if array.ndim == 4 and array.shape[1] in (1, 3) else ""
        raise DataError(
            f"{where} has an array of shape {array.shape}; images are (n, height, width), "
            f"(n, height, width, 1 or 3) or (n, height * width){hint}"
        )
    if array.size == 0:
        raise DataError(f"{where} has no images: its array has the shape {array.shape}")
    return array


def bring_to(collection: ImageCollection, form: ImageFormat) -> ImageCollection:
    """The same images in another form: channels, then size by ``form.fit``, then brightness and dtype.

    Colour becomes grey by ITU-R 601 weights, grey becomes RGB by repetition. Values are multiplied by the
    ratio of full brightnesses (255 in uint8 becomes 16 for a model of scikit-learn's digits); for integers
    the product is rounded and kept between 0 and full brightness. Images already in the form are passed on,
    not copied.
    """
    if replace(collection.format, fit=form.fit) == form:
        return replace(collection, format=form)
    n_bytes = len(collection) * form.n_features * np.dtype(form.dtype).itemsize
    shape_in_words = f"{form.width} x {form.height} x {form.channels} ({form.dtype})"
    what = f"bringing {count(len(collection), 'image')} to {shape_in_words}"
    check_memory(n_bytes, what, "choose a smaller size, or fewer images")
    shape = (len(collection), *collection.format.shape)
    images = collection.pixels.reshape(shape)
    pixels = np.empty((len(collection), form.n_features), form.dtype)
    for start in range(0, len(collection), _BLOCK):
        block = _with_channels(images[start : start + _BLOCK], form.channels)
        if block.shape[1:3] != (form.height, form.width):
            block = np.stack([_resized(image, form) for image in block])
        rows = pixels[start : start + _BLOCK]
        rows[:] = _with_brightness(block, collection.format.max_value, form).reshape(rows.shape)
    return replace(collection, pixels=pixels, format=form)


def _check_finite(array: NDArray[Any], where: str) -> None:
    if array.size and not (math.isfinite(array.min()) and math.isfinite(array.max())):
        bad = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
        raise DataError(
            f"{where} has NaN or infinity in {count(len(bad), 'row')}, first in row {bad[0]}; "
            "replace these values first"
        )


def _narrow(arrays: Sequence[NDArray[Any]], where: str) -> np.dtype[Any]:
    filled = [array for array in arrays if array.size]
    low = min((int(array.min()) for array in filled), default=0)
    high = max((int(array.max()) for array in filled), default=0)
    if low < 0 or high > 65535:
        raise DataError(
            f"{where} has integer pixels from {low} to {high}; they must lie in 0..65535, "
            "or be saved as floats"
        )
    return np.dtype(np.uint8 if high <= 255 else np.uint16)


def _row_shape(
    n_features: int, options: ReadOptions, where: str, model: ImageFormat | None
) -> tuple[int, int, int]:
    if model is not None and n_features == model.n_features:
        return model.shape
    for channels in (3, 1) if options.mode == "rgb" else (1, 3):
        side = math.isqrt(n_features // channels)
        height, width = (side, side) if options.size is None or model is not None else options.size
        if height * width * channels == n_features and n_features:
            return height, width, channels
    need = "square images"
    if options.size is not None:
        need = f"images of {options.size[1]} x {options.size[0]} (width x height)"
    raise DataError(
        f"{where} has rows of {n_features:,} values, which are no {need}, grey or RGB; if they are vectors, "
        "such as embeddings, give them by --vectors (in Python, kmosaic.vectors.load_vectors); if images, "
        "give their size (--size; ReadOptions(size=...)), or save them as (n, height, width)"
    )


def _with_channels(block: NDArray[Any], channels: int) -> NDArray[Any]:
    if block.shape[3] == channels:
        return block
    if channels == 3:
        return np.repeat(block, 3, axis=3)
    if block.dtype.kind == "f":
        weights = np.array([0.299, 0.587, 0.114], dtype=block.dtype)
        grey: NDArray[Any] = (block * weights).sum(axis=3, keepdims=True)
        return grey
    # Pillow's integer weights, which sum to 2**16: files and arrays give the same grey.
    red, green, blue = (block[..., band].astype(np.uint32) for band in range(3))
    weighted = (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16
    return weighted.astype(block.dtype)[..., np.newaxis]


def _resized(image: NDArray[Any], form: ImageFormat) -> NDArray[Any]:
    flat = image[:, :, 0] if form.channels == 1 else image
    resized = resize_array(flat, (form.height, form.width), form.fit)
    return resized.reshape(form.shape)


def _with_brightness(block: NDArray[Any], max_value: float, form: ImageFormat) -> NDArray[Any]:
    if max_value == form.max_value and (block.dtype.name == form.dtype or form.dtype.startswith("float")):
        return block
    scaled = block.astype(np.float64) * form.max_value / max_value
    if form.dtype.startswith("uint"):
        scaled = np.clip(np.rint(scaled), 0, math.floor(form.max_value))
    return scaled
