"""Outlines of regions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError


def outlines(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Where regions end: (h, w) bool, true for the pixels left of and above those of another label.

    >>> outlines(np.array([[1, 1, 2], [1, 1, 2]]))[0].tolist()
    [False, True, False]
    """
    labels = np.asarray(labels)
    if labels.ndim != 2:
        raise DataError(f"labels of shape {labels.shape} must be (h, w)")
    edges = np.zeros(labels.shape, bool)
    edges[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edges[:-1] |= labels[:-1] != labels[1:]
    return edges


def draw_outlines(
    picture: NDArray[np.uint8], labels: NDArray[Any], color: tuple[int, int, int] = (255, 220, 0)
) -> NDArray[np.uint8]:
    """A copy of a picture (h, w, 3) uint8 with the outlines of its regions in ``color``.

    Raises DataError where the two differ in shape.
    """
    picture = np.asarray(picture)
    edges = outlines(labels)
    if picture.dtype != np.uint8 or picture.shape != (*edges.shape, 3):
        raise DataError(
            f"picture of shape {picture.shape} and dtype {picture.dtype} must be {(*edges.shape, 3)} uint8"
        )
    drawn = picture.copy()
    drawn[edges] = color
    return drawn
