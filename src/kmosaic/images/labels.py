"""Labels of any kind as indices into a list of names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.images.listing import path_key
from kmosaic.text import printable


@dataclass(frozen=True, eq=False)
class EncodedLabels:
    """``codes`` holds int64 indices into ``names`` for each of the arrays given, None where that was None."""

    codes: tuple[NDArray[np.int64] | None, ...]
    names: tuple[str, ...] | None


def encode_labels(arrays: Sequence[NDArray[Any] | None], where: str) -> EncodedLabels:
    """Number the labels of several arrays together: numbers in ascending, text in natural order.

    Raises DataError when an array is not one label an image, or its labels are neither whole numbers nor
    text.

    >>> encoded = encode_labels([np.array(["cat", "ant"]), np.array(["cat"])], "here")
    >>> encoded.names, encoded.codes[0].tolist()
    (('ant', 'cat'), [1, 0])
    """
    flat = [None if array is None else _flat(array, where) for array in arrays]
    given = [array for array in flat if array is not None]
    if not given:
        return EncodedLabels(tuple(None for _ in flat), None)
    if len({array.dtype.kind for array in given}) > 1:
        raise DataError(f"{where} has numbers as labels in one part and text in another; use one kind")
    values = np.unique(np.concatenate(given))
    if values.dtype.kind == "U":
        values = np.array(sorted(values.tolist(), key=path_key), dtype=values.dtype)
    order = np.argsort(values)
    codes = tuple(
        None if array is None else order[np.searchsorted(values, array, sorter=order)].astype(np.int64)
        for array in flat
    )
    return EncodedLabels(codes, tuple(printable(str(value)) for value in values.tolist()))


def _flat(labels: NDArray[Any], where: str) -> NDArray[Any]:
    """The labels as one int64 or text value an image."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(
            f"{where} has labels of shape {labels.shape}; one label an image is needed, shape (n,)"
        )
    if labels.dtype.kind == "S":
        return np.char.decode(labels, "utf-8", "backslashreplace")
    if labels.dtype.kind == "U":
        return labels
    if labels.dtype.kind == "f":
        whole = bool(np.all((np.abs(labels) < 2**53) & (labels == np.rint(labels))))
    else:
        whole = labels.dtype.kind in "biu" and not np.any(labels > np.iinfo(np.int64).max)
    if whole:
        return labels.astype(np.int64)
    raise DataError(f"{where} has labels of dtype {labels.dtype}; whole numbers or text are needed")
