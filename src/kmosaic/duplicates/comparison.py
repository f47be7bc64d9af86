"""The distance of two images: of their thumbnails, laid over each other, and then of their detail."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kmosaic.duplicates.alignment import Alignment, align, smoothed
from kmosaic.duplicates.thumbnails import SIDE, Thumbnails, read_grey
from kmosaic.images.decode import UnusableImageError

# Standard deviations in grey levels of a smoothed thumbnail. Below, what is left is noise, and levels are
# compared as they are; between the two, either way may find a pair.
FLAT = 3.0
NEARLY_FLAT = 6.0
# So many levels apart, flat images are as unlike as others at a distance of 1.
FLAT_LEVELS = 24.0
DETAIL_SIDE = 128
_MIN_DETAIL = 64  # pixels of the shorter side, from which on there is detail that thumbnails do not show
_MAX_ASPECT = 0.1  # of the proportions: a crop of 4% of one side, and as much again
_EXTRA = 2  # times that pairs are smoothed more of which one had to be enlarged: it has no fine detail
_BATCH = 512
_CACHED = 1024

Rows = NDArray[np.int32]


class Comparison:
    """Measures pairs of images. ``limit`` is the distance above which none are looked at in detail."""

    def __init__(self, thumbnails: Thumbnails, limit: float) -> None:
        self._thumbnails = thumbnails
        self._limit = limit
        self.contrast = _contrast(thumbnails.grey)
        self._shapes = np.log(thumbnails.sizes[:, 0] / thumbnails.sizes[:, 1])
        self._read = lru_cache(_CACHED)(_read_detail)

    def distances(self, first: Rows, second: Rows, mirrored: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the distance of each pair of rows, float32 (n_pairs,), one turned where ``mirrored``."""
        found = np.empty(len(first), np.float32)
        for start in range(0, len(first), _BATCH):
            part = slice(start, start + _BATCH)
            found[part] = self._measured(first[part], second[part], mirrored[part])
        return found

    def _measured(self, first: Rows, second: Rows, mirrored: NDArray[np.bool_]) -> NDArray[np.float32]:
        # Whichever way a pair is given, its distance is the same.
        first, second = np.minimum(first, second), np.maximum(first, second)
        grey = self._thumbnails.grey
        turned = np.where(mirrored[:, None, None], grey[second, :, ::-1], grey[second])
        a, b = smoothed(grey[first]), smoothed(turned)
        small = self._thumbnails.sizes.min(axis=1) < SIDE
        enlarged = np.flatnonzero(small[first] | small[second])
        a[enlarged], b[enlarged] = smoothed(a[enlarged], _EXTRA), smoothed(b[enlarged], _EXTRA)
        aligned = align(a, b)
        found = self._in_detail(first, second, mirrored, aligned)
        contrast = np.maximum(self.contrast[first], self.contrast[second])
        flat = self._flat_distances(first, second, a, b)
        found = np.where(contrast < NEARLY_FLAT, np.minimum(found, flat), found)
        found = np.where(contrast < FLAT, flat, found)
        return np.where(self._like_shape(first, second), found, np.float32(1))

    def _in_detail(
        self, first: Rows, second: Rows, mirrored: NDArray[np.bool_], aligned: Alignment
    ) -> NDArray[np.float32]:
        found = aligned.distances.copy()
        paths, sides = self._thumbnails.paths, self._thumbnails.sizes.min(axis=1)
        for pair in np.flatnonzero(found <= self._limit):
            rows = int(first[pair]), int(second[pair])
            files = paths[rows[0]], paths[rows[1]]
            if None in files or min(sides[list(rows)]) < _MIN_DETAIL:
                continue
            a, b = (self._read(file) for file in files)
            if a is None or b is None:
                found[pair] = 1
                continue
            b = b[:, ::-1] if mirrored[pair] else b
            found[pair] = max(found[pair], _detail_distance(a, b, aligned.places[pair : pair + 1]))
        return found

    def _flat_distances(
        self, first: Rows, second: Rows, a: NDArray[np.float32], b: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Root mean square of the difference of levels, that of the mean colour among it."""
        difference = a - b
        squares = difference.var(axis=(1, 2))
        colour = self._thumbnails.colour
        squares += ((colour[first] - colour[second]) ** 2).mean(axis=1)
        return np.asarray(np.minimum(1, np.sqrt(squares) / FLAT_LEVELS), np.float32)

    def _like_shape(self, first: Rows, second: Rows) -> NDArray[np.bool_]:
        """Whether proportions are about the same, as far as whole pixels can tell."""
        sizes = self._thumbnails.sizes
        rounding = 1 / sizes[first].min(axis=1) + 1 / sizes[second].min(axis=1)
        like: NDArray[np.bool_] = np.abs(self._shapes[first] - self._shapes[second]) <= _MAX_ASPECT + rounding
        return like


def _detail_distance(a: NDArray[np.uint8], b: NDArray[np.uint8], places: NDArray[np.float32]) -> np.float32:
    """The distance at full detail; the place is found at half of it first, as lines of text are thin."""
    first, second = (one[None].astype(np.float32) for one in (a, b))
    half = align(smoothed(_halved(first)), smoothed(_halved(second)), places)
    found = align(smoothed(first), smoothed(second), half.places)
    return np.float32(found.distances[0])


def _halved(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    n, side = pictures.shape[:2]
    halved: NDArray[np.float32] = pictures.reshape(n, side // 2, 2, side // 2, 2).mean(axis=(2, 4))
    return halved


def _contrast(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    found = np.empty(len(grey), np.float32)
    for start in range(0, len(grey), _BATCH):
        found[start : start + _BATCH] = smoothed(grey[start : start + _BATCH]).std(axis=(1, 2))
    return found


def _read_detail(path: Path) -> NDArray[np.uint8] | None:
    """The file at the side of details; None where it cannot be read any more."""
    try:
        return read_grey(path, DETAIL_SIDE)
    except UnusableImageError:
        return None
