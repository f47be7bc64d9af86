"""How alike two pictures are once one is laid over the other: shifted, stretched, and made as bright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Stretch, and shift in parts of a side: a crop of 4% of each side, seen in whole, and as much again.
_HERE = np.array([1, 0, 1, 0], np.float32)
_FARTHEST = np.array([0.13, 0.08, 0.13, 0.08], np.float32)
_MAX_STEP = 2.0  # pixels a step: beyond that the gradients say nothing
_N_STEPS = 2
_MIN_GAIN = 0.3
# Keeps the equations of featureless pictures solvable; nothing to others.
_RIDGE = 1e-3
_TINY = 1e-9

Pictures = NDArray[np.float32]
Numbers = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Alignment:
    """How pairs of pictures fit: ``distances`` float32 (n,), and the place of the second in the first.

    A distance is the root of the share of the first picture's variance that the second does not explain, once
    it is laid over it and made as bright: 0 for equal pictures, 1 for unrelated ones and negatives.
    ``places`` (n, 4) has the stretch and the shift of columns, then of rows; shifts are parts of a side.
    """

    distances: Numbers
    places: Numbers


def smoothed(pictures: NDArray[np.generic], n_times: int = 2) -> Pictures:
    """Return pictures (n, side, side) smoothed by the binomial (1, 2, 1) / 4 along rows and columns, float32.

    Twice takes the noise of compression away.
    """
    result: Pictures = np.asarray(pictures, np.float32)
    for axis in (1, 2) * n_times:
        result = _binomial(result, axis)
    return result


def _binomial(pictures: Pictures, axis: int) -> Pictures:
    turned = np.moveaxis(pictures, axis, -1)
    result: Pictures = turned * np.float32(2)
    result[..., 1:] += turned[..., :-1]
    result[..., :-1] += turned[..., 1:]
    result[..., 0] += turned[..., 0]
    result[..., -1] += turned[..., -1]
    return np.moveaxis(result / np.float32(4), -1, axis)


def align(first: Pictures, second: Pictures, places: Numbers | None = None) -> Alignment:
    """Lay each of ``second`` over that of ``first``, both (n, side, side) and smoothed.

    Gauss-Newton steps over shift and stretch of columns and rows, with brightness and contrast free (Lucas
    and Kanade, 1981; Baker and Matthews, 2004, section 3.1), from ``places`` on, or from no shift. Only
    where both have pixels are they compared.
    """
    n, side = first.shape[:2]
    where = np.tile(_HERE, (n, 1)) if places is None else places
    for _ in range(_N_STEPS):
        step = np.clip(_Overlap(first, second, where).step(), -_MAX_STEP, _MAX_STEP)
        step[:, 1::2] /= side
        where = np.clip(where + step, _HERE - _FARTHEST, _HERE + _FARTHEST)
    return Alignment(_Overlap(first, second, where).distances(), where)


class _Overlap:
    """Pairs of pictures, the second of each resampled at its place, and compared where both have pixels."""

    def __init__(self, first: Pictures, second: Pictures, places: Numbers) -> None:
        n, side = first.shape[:2]
        columns, inside_columns = _resampling(places[:, 0], places[:, 1] * side, side)
        rows, inside_rows = _resampling(places[:, 2], places[:, 3] * side, side)
        self._mask = (inside_rows[:, :, None] & inside_columns[:, None, :]).astype(np.float32)
        self._count = self._mask.sum(axis=(1, 2), keepdims=True)
        self._second = np.asarray(rows @ second @ columns.transpose(0, 2, 1), np.float32)
        self._a = self._centred(first).reshape(n, -1)
        self._b = self._centred(self._second).reshape(n, -1)
        self._centre = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)

    def distances(self) -> Numbers:
        product = np.einsum("ij,ij->i", self._a, self._b)
        squares = np.einsum("ij,ij->i", self._a, self._a) * np.einsum("ij,ij->i", self._b, self._b)
        likeness = np.clip(product / np.sqrt(squares + _TINY), 0, 1)
        return np.asarray(np.sqrt(1 - likeness * likeness), np.float32)

    def step(self) -> Numbers:
        """Change of stretch and shift in pixels of columns, then of rows, that the gradients ask for."""
        by_row: Pictures = np.gradient(self._second, axis=1)
        by_column: Pictures = np.gradient(self._second, axis=2)
        moved = [
            by_column * self._centre[None, None, :],
            by_column,
            by_row * self._centre[None, :, None],
            by_row,
        ]
        n = len(self._a)
        columns = np.stack([self._b, *(self._centred(one).reshape(n, -1) for one in moved)], axis=1)
        normal = columns @ columns.transpose(0, 2, 1)
        ridge = np.trace(normal, axis1=1, axis2=2)[:, None, None] / 5 + 1
        normal += _RIDGE * ridge * np.eye(5, dtype=np.float32)
        solved = np.linalg.solve(normal, columns @ self._a[:, :, None])[:, :, 0]
        gain = np.where(np.abs(solved[:, :1]) < _MIN_GAIN, _MIN_GAIN, solved[:, :1])
        return np.asarray(solved[:, 1:] / gain, np.float32)

    def _centred(self, pictures: Pictures) -> Pictures:
        mean = (pictures * self._mask).sum(axis=(1, 2), keepdims=True) / self._count
        centred: Pictures = (pictures - mean) * self._mask
        return centred


def _resampling(stretch: Numbers, shift: Numbers, side: int) -> tuple[Pictures, NDArray[np.bool_]]:
    """Matrices (n, side, side) of linear interpolation along one axis, and which pixels have a source."""
    middle = np.float32((side - 1) / 2)
    pixels = np.arange(side, dtype=np.float32)
    source: Pictures = (pixels - middle)[None] * stretch[:, None] + shift[:, None] + middle
    inside = (source >= -0.5) & (source <= side - 0.5)
    near = np.abs(np.clip(source, 0, side - 1)[:, :, None] - pixels)
    return np.asarray(np.maximum(0, 1 - near), np.float32), inside
