"""Histograms of oriented gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.features.base import (
    ImageShape,
    ImageTransformer,
    Progress,
    check_flag,
    check_pair,
    check_real,
    check_whole,
)

_MIN_BLUR = 0.1  # exp(-0.5 / 0.1^2) is 2e-22 of a pixel's own weight: nothing in float32
_MAX_CELLS = 1024


class OrientedGradients(ImageTransformer):
    """Describe an image by how strongly it changes in which direction, cell by cell.

    Every pixel's gradient is shared out, by its length, between the two orientations nearest to its own and
    the up to four cells nearest to its place (bilinearly), so that a stroke that moves or turns a little
    changes the features a little. Of a colour pixel, the channel that changes most counts. Features do not
    change when brightness is shifted or scaled; a blank image has only zeros.

    Parameters
    ----------
    n_orientations : int, default 8
        Directions told apart, spread evenly over the full turn, or the half turn where not ``signed``.
    cells : (rows, columns), default (7, 7)
        How many cells, each as large as their share of the image.
    signed : bool, default True
        Whether going from dark to bright differs from bright to dark.
    blur : float, default 0
        Standard deviation, in pixels, of the Gaussian that smooths images first; 0 does not.
    square_root : bool, default True
        Whether features are the square roots of the shares that each orientation and cell has of all
        gradients: distances are then Hellinger's, and the longest edges do not rule them.
    image_shape, n_threads, callback
        See ``ImageTransformer``.

    Notes
    -----
    Features are float32 of unit length (blank: 0), ordered cell by cell, orientations together. Sizes do not
    depend on the image's, so that images of any size will do; one of 1 x 1 has no gradient.

    References
    ----------
    N. Dalal, B. Triggs (2005), "Histograms of oriented gradients for human detection", sections 4 to 6.
    R. Arandjelovic, A. Zisserman (2012), "Three things everyone should know to improve object retrieval",
    section 3, for the square root.

    Examples
    --------
    >>> import numpy as np
    >>> edge = np.repeat(np.array([[0, 0, 0, 0, 255, 255, 255, 255]], dtype=np.uint8), 8, axis=0)
    >>> features = OrientedGradients(n_orientations=4, cells=(1, 1)).fit_transform(edge.reshape(1, 64))
    >>> features.tolist()  # all of it points right
    [[1.0, 0.0, 0.0, 0.0]]
    """

    def __init__(  # noqa: PLR0913 (scikit-learn's contract: parameters are the constructor's arguments)
        self,
        *,
        n_orientations: int = 8,
        cells: tuple[int, int] = (7, 7),
        signed: bool = True,
        blur: float = 0.0,
        square_root: bool = True,
        image_shape: ImageShape | None = None,
        n_threads: int | None = None,
        callback: Progress | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_threads=n_threads, callback=callback)
        self.n_orientations = n_orientations
        self.cells = cells
        self.signed = signed
        self.blur = blur
        self.square_root = square_root

    @property
    def _n_features_out(self) -> int:
        return self.n_orientations * self.cells[0] * self.cells[1]

    def _check_parameters(self) -> None:
        check_whole("n_orientations", self.n_orientations, 1, 360)
        check_pair("cells", self.cells, "rows, columns", _MAX_CELLS)
        check_flag("signed", self.signed)
        check_flag("square_root", self.square_root)
        check_real("blur", self.blur, 0, 100)

    def _transform(self, rows: NDArray[Any]) -> NDArray[Any]:
        height, width, _ = self.image_shape_
        pools = tent_weights(height, self.cells[0]), tent_weights(width, self.cells[1])
        return self._in_blocks(lambda images: self._features(images, pools), rows, np.float32)

    def _features(
        self, images: NDArray[Any], pools: tuple[NDArray[np.float32], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        length, turn = gradients(smoothed(unit_range(images), self.blur), signed=self.signed)
        histograms = np.empty((len(images), *self.cells, self.n_orientations), np.float32)
        turn *= self.n_orientations
        down, across = pools[0], np.ascontiguousarray(pools[1].T)
        for orientation in range(self.n_orientations):
            away = np.abs(turn - np.float32(orientation))
            np.minimum(away, self.n_orientations - away, out=away)
            share = np.maximum(1 - away, 0, out=away) if self.n_orientations > 1 else np.ones_like(away)
            share *= length
            histograms[..., orientation] = down @ share @ across
        return self._scaled(histograms.reshape(len(images), -1))

    def _scaled(self, histograms: NDArray[np.float32]) -> NDArray[np.float32]:
        size = histograms.sum(axis=1) if self.square_root else np.sqrt((histograms**2).sum(axis=1))
        histograms /= np.where(size > 0, size, 1)[:, None]
        return np.sqrt(histograms, out=histograms) if self.square_root else histograms


def unit_range(images: NDArray[Any]) -> NDArray[np.float32]:
    """Return images (n, height, width, channels) with their darkest value at 0 and their brightest at 1."""
    low, high = images.min(axis=(1, 2, 3), keepdims=True), images.max(axis=(1, 2, 3), keepdims=True)
    if images.dtype == np.float64 or images.dtype == np.float32:
        # The difference of float32's largest values is no float32.
        low, high, images = low.astype(np.float64), high.astype(np.float64), images.astype(np.float64)
        images = (images - low) / np.where(high > low, high - low, 1)
        return np.asarray(images, np.float32)
    span = np.where(high > low, high - low, 1).astype(np.float32)
    scaled: NDArray[np.float32] = (images - low).astype(np.float32) / span
    return scaled


def smoothed(images: NDArray[np.float32], blur: float) -> NDArray[np.float32]:
    """Return images smoothed by a Gaussian of standard deviation ``blur``; edges are repeated outwards."""
    if blur < _MIN_BLUR:
        return images
    reach = math.ceil(3 * blur)
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / blur) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (1, 2):
        length = images.shape[axis]
        result = np.zeros_like(images)
        for offset, weight in zip(offsets, kernel, strict=True):
            result += weight * images.take(np.clip(np.arange(length) + offset, 0, length - 1), axis=axis)
        images = result
    return images


def gradients(
    images: NDArray[np.float32], *, signed: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the length of each pixel's gradient and its direction in turns from 0 to 1: (n, height, width).

    Central differences, with edges repeated outwards; of the channel where the gradient is longest.
    Directions go from right (0) to down (1/4 of a full turn); where not ``signed``, the half turn is 1.
    """
    down, across = _differences(images, 1), _differences(images, 2)
    if images.shape[3] > 1:
        strongest = np.argmax(down * down + across * across, axis=3)[..., None]
        down, across = (np.take_along_axis(part, strongest, axis=3) for part in (down, across))
    down, across = down[..., 0], across[..., 0]
    turn = np.arctan2(down, across)
    turn *= np.float32(1 / (2 * math.pi) if signed else 1 / math.pi)
    turn -= np.floor(turn)
    return np.sqrt(down * down + across * across), turn


def _differences(images: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    length = images.shape[axis]
    after = images.take(np.minimum(np.arange(length) + 1, length - 1), axis=axis)
    before = images.take(np.maximum(np.arange(length) - 1, 0), axis=axis)
    return np.asarray(after - before)


def tent_weights(n_pixels: int, n_cells: int) -> NDArray[np.float32]:
    """Return how much of each pixel goes to each cell: (n_cells, n_pixels) float32, columns add to 1.

    Linear between the middles of the two nearest cells; pixels beyond the first and last middle go to that
    cell alone.

    >>> tent_weights(4, 2)
    array([[1.  , 0.75, 0.25, 0.  ],
           [0.  , 0.25, 0.75, 1.  ]], dtype=float32)
    """
    place = (np.arange(n_pixels) + 0.5) * n_cells / n_pixels - 0.5
    place = np.clip(place, 0, n_cells - 1)
    return np.asarray(np.maximum(1 - np.abs(place - np.arange(n_cells)[:, None]), 0), np.float32)
