"""Maps with less speckle: a majority filter, and a minimum mapping unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.io.gdal_env import gdal_env, load_rasterio
from kmosaic.scenes.map.classifier import MISSING_LABEL

LARGEST_WINDOW = 15
"""The largest window of a majority filter: its 225 pixels are counted in bytes."""

T = TypeVar("T")


def check_window(size: int) -> int:
    """Return ``size`` where a majority filter can have it.

    Raises DataError where it is even, or not from 3 to 15.
    """
    if size % 2 == 0 or not 3 <= size <= LARGEST_WINDOW:
        raise DataError(f"majority={size} must be an odd number of pixels from 3 to {LARGEST_WINDOW}")
    return size


def majority_filter(labels: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    """Return labels (n_lines, width) in which each pixel has the most common label of the window around it.

    A pixel changes only to a label that more of the window's pixels have than any other; where two are
    equally common it keeps its own. What is missing, -1, neither changes nor counts; beyond the edge there
    is nothing.

    >>> majority_filter(np.array([[0, 0, 0], [0, 1, -1], [0, 0, 0]], np.int32), 3).tolist()
    [[0, 0, 0], [0, 0, -1], [0, 0, 0]]
    """
    max_counts = np.zeros(labels.shape, np.uint8)
    winner = labels.copy()
    for label in np.flatnonzero(np.bincount(labels.ravel() + 1)[1:]):
        counts = _counts(labels == label, size)
        np.copyto(winner, np.int32(label), where=counts > max_counts)
        np.copyto(winner, labels, where=(counts == max_counts) & (counts > 0))
        np.maximum(max_counts, counts, out=max_counts)
    winner[labels == MISSING_LABEL] = MISSING_LABEL
    return winner


def _counts(marked: NDArray[np.bool_], size: int) -> NDArray[np.uint8]:
    """How many pixels of each window are marked; columns first, then lines."""
    counts = marked.astype(np.uint8)
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (size // 2, size // 2)
        padded = np.pad(counts, padding)
        length = counts.shape[axis]
        shifted = (padded.take(range(start, start + length), axis=axis) for start in range(size))
        counts = sum(shifted, start=np.zeros_like(counts))
    return counts


def majority_by_strips(
    strips: Iterable[tuple[T, NDArray[np.int32]]], size: int
) -> Iterator[tuple[T, NDArray[np.int32]]]:
    """Filter labels that come as strips from top to bottom, as if they came at once.

    Each strip comes with something of its own, and is given back with it once the lines below it are known.
    All strips but the last have at least ``size`` // 2 lines.
    """
    halo = size // 2
    above: NDArray[np.int32] | None = None
    waiting: tuple[T, NDArray[np.int32]] | None = None
    for item, labels in strips:
        if waiting is not None:
            yield waiting[0], _filtered(above, waiting[1], labels[:halo], size)
            above = waiting[1][-halo:]
        waiting = (item, labels)
    if waiting is not None:
        yield waiting[0], _filtered(above, waiting[1], waiting[1][:0], size)


def _filtered(
    above: NDArray[np.int32] | None, labels: NDArray[np.int32], below: NDArray[np.int32], size: int
) -> NDArray[np.int32]:
    first = 0 if above is None else len(above)
    parts = [labels, below] if above is None else [above, labels, below]
    return majority_filter(np.concatenate(parts), size)[first : first + len(labels)]


def sieve(coded: NDArray[Any], min_size: int) -> None:
    """Give patches of fewer than ``min_size`` pixels to the largest patch beside them, in place.

    ``coded`` is a whole map, (height, width) uint8 or uint16, 0 where missing. Pixels are of one patch that
    share an edge and a class. A patch that has no neighbour of ``min_size`` pixels, as a small island in what
    is missing, stays. Done by GDAL's sieve filter.
    """
    load_rasterio()
    if min_size >= coded.size:
        return  # no patch has as many, and GDAL would refuse
    from rasterio.features import sieve as gdal_sieve

    with gdal_env("the map cannot be sieved", network=False):
        sieved = gdal_sieve(coded, size=min_size, mask=coded != 0, connectivity=4)
    np.copyto(coded, sieved, where=coded != 0)
