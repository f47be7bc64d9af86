"""Setting slanted writing upright."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.features.base import ImageShape, ImageTransformer, Progress, check_flag, check_real


class Deskew(ImageTransformer):
    """Set slanted strokes upright: shear each image so that its brightness has no covariance of x and y.

    A prior about writing: the slant of a hand says nothing about the letter. Each row of pixels is shifted
    sideways by ``slant * (y - centre of mass)``; ``slant`` is the covariance of x and y over the variance of
    y, both weighted by brightness above the image's darkest value. In between pixels values are linear; what
    comes in from the sides is that darkest value. A blank image, and one whose brightness lies in one row,
    stays as it is. Channels share one slant. Strokes must be brighter than what they are written on: invert
    scans of ink on paper first.

    Parameters
    ----------
    max_slant : float, default 1
        The most a row is shifted against its neighbour, in pixels: 1 is 45 degrees.
    centre : bool, default False
        Whether to move the centre of mass to the image's middle as well.
    image_shape, n_threads, callback
        See ``ImageTransformer``.

    References
    ----------
    The moment-based slant correction of Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998), "Gradient-based
    learning applied to document recognition", section III.A.

    Examples
    --------
    >>> import numpy as np
    >>> slanted = 255 * np.eye(5, dtype=np.uint8)
    >>> Deskew().fit_transform(slanted.reshape(1, 25)).reshape(5, 5)[:, 2]
    array([255, 255, 255, 255, 255], dtype=uint8)
    """

    _KEEPS_DTYPE = True

    def __init__(
        self,
        *,
        max_slant: float = 1.0,
        centre: bool = False,
        image_shape: ImageShape | None = None,
        n_threads: int | None = None,
        callback: Progress | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_threads=n_threads, callback=callback)
        self.max_slant = max_slant
        self.centre = centre

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_

    def _check_parameters(self) -> None:
        check_real("max_slant", self.max_slant, 0, 100)
        check_flag("centre", self.centre)

    def _transform(self, rows: NDArray[Any]) -> NDArray[Any]:
        def straighten(images: NDArray[Any]) -> NDArray[Any]:
            return upright(images, float(self.max_slant), centre=bool(self.centre))

        return self._in_blocks(straighten, rows, rows.dtype)


def upright(images: NDArray[Any], max_slant: float, *, centre: bool) -> NDArray[Any]:
    """Return images (n, height, width, channels) sheared upright, in their dtype."""
    dark = images.min(axis=(1, 2, 3), keepdims=True)
    ink = images.astype(np.float64) - dark
    slant, (y, x) = _slant(ink.sum(axis=3), max_slant)
    height, width = images.shape[1:3]
    shifts = slant[:, None] * (np.arange(height) - y[:, None])
    if centre:
        shifts += (x - (width - 1) / 2)[:, None]
    moved = _shifted(ink, shifts)
    if centre:
        down = np.repeat((y - (height - 1) / 2)[:, None], width, axis=1)
        moved = _shifted(moved.swapaxes(1, 2), down).swapaxes(1, 2)
    if images.dtype.kind == "u":
        np.rint(moved, out=moved)
    straight: NDArray[Any] = (moved + dark).astype(images.dtype)
    if not centre:  # taking the darkest value away and adding it rounds floats
        still = slant == 0
        straight[still] = images[still]
    return straight


def _slant(
    ink: NDArray[np.float64], max_slant: float
) -> tuple[NDArray[np.float64], tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The slant of each of (n, height, width) images, and its centre of mass (y, x): its middle if blank."""
    n, height, width = ink.shape
    largest = ink.max(axis=(1, 2), keepdims=True)
    # Blank images count as evenly bright: no slant, and the centre of mass in their middle.
    scaled = ink / np.where(largest > 0, largest, 1) + (largest == 0)
    by_row, by_column = scaled.sum(axis=2), scaled.sum(axis=1)
    mass = by_row.sum(axis=1)
    y, x = np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64)
    middle = (by_row * y).sum(axis=1) / mass
    centre = (by_column * x).sum(axis=1) / mass
    dy = y - middle[:, None]
    variance = (by_row * dy * dy).sum(axis=1)
    covariance = ((scaled * x).sum(axis=2) * dy).sum(axis=1) - centre * (by_row * dy).sum(axis=1)
    # One row of ink has no slant; rounding leaves it a variance of about 1e-30.
    slant = np.zeros(n)
    np.divide(covariance, variance, out=slant, where=variance > 1e-9 * mass)
    return np.clip(slant, -max_slant, max_slant), (middle, centre)


def _shifted(images: NDArray[np.float64], shifts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shift the pixels of each row to the left by ``shifts`` (n, height), linearly in between; 0 comes in."""
    n, height, width, channels = images.shape
    whole = np.floor(shifts)
    part = (shifts - whole)[:, :, None, None]
    left = np.arange(width) + whole[:, :, None].astype(np.int64)
    padded = np.zeros((n, height, width + 2, channels))
    padded[:, :, 1:-1] = images
    first = np.take_along_axis(padded, np.clip(left + 1, 0, width + 1)[..., None], axis=2)
    second = np.take_along_axis(padded, np.clip(left + 2, 0, width + 1)[..., None], axis=2)
    return np.asarray((1 - part) * first + part * second)
