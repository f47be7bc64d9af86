"""Stored arrays, once checked, as collections of one form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.images.arrays import StoredArrays
from kmosaic.images.collection import ImageCollection, ReadOptions
from kmosaic.images.labels import EncodedLabels, encode_labels
from kmosaic.images.values import as_image_shape, as_pixel_dtype, bring_to, full_brightness
from kmosaic.models.image_model import ImageFormat
from kmosaic.text import count

_CHANNELS = {"grey": 1, "rgb": 3}


@dataclass(frozen=True, eq=False)
class Parts:
    """The training images, or all of them, and the test images where the source has such a part."""

    train: ImageCollection
    test: ImageCollection | None


def assemble(
    stored: StoredArrays, name: str, where: str, options: ReadOptions, model: ImageFormat | None = None
) -> Parts:
    """The stored arrays as collections of the size and mode of ``options``.

    ``name`` is that of the collections; messages and sources say ``where`` the arrays are.

    For images that are to meet a ``model`` they are left in their own form, and the model only helps to tell
    what shape and brightness their numbers mean.

    Raises DataError when shapes, dtypes, values or numbers of labels are not those of images.
    """
    raw = [stored.train] if stored.test is None else [stored.train, stored.test]
    images = [as_image_shape(array, options, where, model) for array in raw]
    if len({array.shape[1:] for array in images}) > 1:
        shapes = " and ".join(str(array.shape) for array in images)
        raise DataError(f"{where} has training and test images of unlike shapes {shapes}; make them alike")
    images = as_pixel_dtype(images, where)
    white = stored.max_value or full_brightness(images, model)
    _, height, width, channels = images[0].shape
    own = ImageFormat(height, width, channels, images[0].dtype.name, white, options.fit)
    form = _target(own, options) if model is None else own
    encoded = _encode(stored, where)
    parts = []
    for place, array in enumerate(images):
        collection = _collection(array, own, encoded, place, name, where)
        parts.append(bring_to(_with_ids(collection, place, len(images)), form))
    return Parts(parts[0], parts[1] if len(parts) > 1 else None)


def _target(own: ImageFormat, options: ReadOptions) -> ImageFormat:
    height, width = options.size or (own.height, own.width)
    channels = _CHANNELS.get(options.mode, own.channels)
    return ImageFormat(height, width, channels, own.dtype, own.max_value, options.fit)


def _encode(stored: StoredArrays, where: str) -> EncodedLabels:
    labels = (stored.train_labels, None if stored.test is None else stored.test_labels)
    if stored.label_names is None:
        return encode_labels(labels, where)
    # Published labels are indices already, and their checksum has been compared.
    codes = tuple(None if array is None else array.astype(np.int64) for array in labels)
    return EncodedLabels(codes, stored.label_names)


def _collection(
    images: NDArray[Any], own: ImageFormat, encoded: EncodedLabels, place: int, name: str, where: str
) -> ImageCollection:
    codes = encoded.codes[place]
    if codes is not None and len(codes) != len(images):
        raise DataError(
            f"{where} has {count(len(images), 'image')} and {count(len(codes), 'label')}; one each is needed"
        )
    return ImageCollection(
        name=name,
        pixels=images.reshape(len(images), own.n_features),
        format=own,
        labels=codes,
        label_names=None if codes is None else encoded.names,
        ids=tuple(str(row) for row in range(len(images))),
        source=f"{count(len(images), 'image')} from {where}",
    )


def _with_ids(collection: ImageCollection, place: int, n_parts: int) -> ImageCollection:
    """With a test part beside it, a row's name says which part it is of."""
    if n_parts == 1:
        return collection
    part, word = (("train", "training"), ("test", "test"))[place]
    return replace(
        collection,
        ids=tuple(f"{part}/{row}" for row in collection.ids),
        source=collection.source.replace(" image", f" {word} image", 1),
    )
