"""Colours as points of a space in whole numbers, their nearest palette colours, and error diffusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core

Points = NDArray[np.uint16]
"""(n, 3 or 4) coordinates in multiples of 2**-14; with alpha premultiplied, and alpha last."""

UNIT = 1 << 14
"""What is 1 in points."""
CHROMA_OFFSET: int = _core.CHROMA_OFFSET
"""What a and b of Oklab have added."""


@dataclass(frozen=True)
class Diffusion:
    """How errors are passed on: ``strength`` 0..256 in 256ths, lengths in multiples of 2**-14.

    A pixel takes an error of at most ``max_error``. One that equals its eight neighbours is left alone where
    the palette has a colour at most ``max_flat`` from its own.
    """

    strength: int
    max_error: int
    max_flat: int


class ColourSpace:
    """sRGB, linear light or Oklab ("srgb", "linear", "oklab"): pixels to points, by integers alone.

    >>> import numpy as np
    >>> white = np.full((1, 3), 255, np.uint8)
    >>> ColourSpace("oklab").points(white, n_threads=1).tolist()
    [[16384, 8192, 8192]]
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._space = _core.ColourSpace(name)

    def points(self, colours: NDArray[Any], n_threads: int) -> Points:
        """Points of RGB or RGBA colours, (n, 3 or 4) uint8 or uint16."""
        colours = np.require(colours, requirements=["C", "A"])
        return np.asarray(self._space.convert(colours, n_threads))

    def diffuse(
        self, picture: NDArray[Any], palette: Points, diffusion: Diffusion, n_threads: int
    ) -> NDArray[np.uint8]:
        """Labels (h, w) of a picture (h, w, 3 or 4) by Floyd's and Steinberg's error diffusion.

        Pixels without opacity get the label ``len(palette)``, or 0 where that is 256.
        """
        height, width, channels = picture.shape
        pixels = np.require(picture, requirements=["C", "A"]).reshape(-1, channels)
        labels = np.zeros(height * width, np.uint8)
        how = (diffusion.strength, diffusion.max_error, diffusion.max_flat**2)
        self._space.diffuse(pixels, width, np.ascontiguousarray(palette), how, labels, n_threads)
        return labels.reshape(height, width)


def nearest_in_palette(points: Points, palette: Points, n_threads: int) -> NDArray[np.uint8]:
    """The nearest of at most 256 palette points to each point, exactly; ties go to the lowest index.

    >>> import numpy as np
    >>> palette = np.array([[0, 0, 0], [10, 0, 0]], np.uint16)
    >>> nearest_in_palette(np.array([[5, 0, 0], [6, 0, 0]], np.uint16), palette, n_threads=1).tolist()
    [0, 1]
    """
    points = np.require(points, requirements=["C", "A"])
    return np.asarray(_core.nearest_in_palette(points, np.ascontiguousarray(palette), n_threads))


def merge_points(points: Points, counts: NDArray[np.int64], most: int) -> tuple[Points, NDArray[np.int64]]:
    """Points merged into the rounded means of cubes, the smallest of which there are at most ``most``."""
    merged, totals = _core.merge_points(np.ascontiguousarray(points), np.ascontiguousarray(counts), most)
    return np.asarray(merged), np.asarray(totals)
