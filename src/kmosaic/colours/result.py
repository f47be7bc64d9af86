"""What quantising gives: labels, palette, and how far the picture is from the original."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmosaic.colours.palette import Palette
from kmosaic.colours.ssimulacra2 import Ssimulacra2
from kmosaic.engines.colour_points import UNIT, ColourSpace


@dataclass(frozen=True, eq=False)
class Quantized:
    """A picture of few colours.

    Attributes
    ----------
    labels
        (h, w) uint8, each pixel's colour in the palette.
    palette
        The colours that occur, with their shares.
    original
        (h, w, 3 or 4) uint8 or uint16.
    space
        Where distances were measured.
    n_distinct
        How many colours the original has; for a shared palette, all of the pictures together.
    n_iter
        Iterations of k-means in its last fit; 0 where there was none.
    error_history
        (2 * n_iter or one more,) float64, the mean error after every half step of that fit, in the unit of
        ``mean_error``; with ``saliency`` weighted by it. Empty where there was no fit.
    """

    labels: NDArray[np.uint8]
    palette: Palette
    original: NDArray[Any]
    space: str
    n_distinct: int
    n_iter: int
    error_history: NDArray[np.float64]

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(h, w, 3), or (h, w, 4) where a colour is not opaque."""
        colors = self.palette.colors
        channels = 3 if (colors[:, 3] == 255).all() else 4
        return np.ascontiguousarray(colors[:, :channels])[self.labels]

    @property
    def image(self) -> Image.Image:
        """The picture with its palette, as Pillow has it: mode "P"."""
        image = Image.fromarray(self.labels)
        colors = self.palette.colors
        image.putpalette(colors[:, :3].tobytes())
        if (colors[:, 3] < 255).any():
            image.info["transparency"] = colors[:, 3].tobytes()
        return image

    @property
    def mse(self) -> float:
        """The mean over pixels of the squared distance in sRGB, values from 0 to 255; over white."""
        difference = self.flat_original.astype(np.int32) - self.flat_pixels
        return float(np.square(difference).sum(dtype=np.int64)) / self.labels.size

    @property
    def psnr(self) -> float:
        """The same in decibels, of three channels; infinite where nothing changed."""
        mse = self.mse
        return math.inf if mse == 0 else 10 * math.log10(3 * 255**2 / mse)

    @property
    def mean_error(self) -> float:
        """The mean squared distance in the space, whose brightness goes from 0 to 1."""
        return float(self.pixel_errors.mean(dtype=np.float64))

    @property
    def pixel_errors(self) -> NDArray[np.float64]:
        """(h, w): squared distances in the space of each pixel's colour from its original."""
        space = ColourSpace(self.space)
        a = space.points(self.flat_original.reshape(-1, 3), 1).astype(np.float64)
        b = space.points(flattened(self.palette.colors[np.newaxis])[0], 1).astype(np.float64)
        squares: NDArray[np.float64] = np.square(a - b[self.labels.reshape(-1)]).sum(axis=1) / UNIT**2
        return squares.reshape(self.labels.shape)

    @cached_property
    def flat_pixels(self) -> NDArray[np.uint8]:
        """(h, w, 3): the picture laid over white."""
        return flattened(self.pixels)

    @cached_property
    def ssimulacra2(self) -> float:
        """How alike the picture and its original look: 100 is the same, 70 high, 50 medium quality."""
        return Ssimulacra2(self.flat_original).score(self.flat_pixels)

    @cached_property
    def flat_original(self) -> NDArray[np.uint8]:
        """(h, w, 3) uint8: the original laid over white."""
        return flattened(eight_bits(self.original))


def eight_bits(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """A picture's values as 8 bits, rounded."""
    if picture.dtype == np.uint8:
        return picture
    return ((picture.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def flattened(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3): a picture laid over white."""
    if picture.shape[2] == 3:
        return picture
    alpha = picture[..., 3:].astype(np.uint32)
    over = picture[..., :3] * alpha + 255 * (255 - alpha)
    return np.ascontiguousarray(((over + 127) // 255).astype(np.uint8))
