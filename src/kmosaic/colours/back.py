"""From points of a space back to colours of 8 bits."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines.colour_points import CHROMA_OFFSET, UNIT, ColourSpace

# Ottosson (2020), with the matrices of 2021.
_FROM_CONES = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
_TO_ROOTS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_NEIGHBOURS = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
_GREY_NEIGHBOURS = np.array([(step,) * 3 for step in (-1, 0, 1)])


def colours_of(space: ColourSpace, centers: NDArray[np.float64], *, grey: bool = False) -> NDArray[np.uint8]:
    """RGBA colours (k, 4) uint8 whose points are nearest to ``centers`` (k, 3 or 4), premultiplied.

    ``grey`` allows greys alone.
    Of the colours around the one that floating point leads to, that is the nearest by whole numbers; so the
    rounding of roots and powers, which differs between machines, does not matter.
    """
    k = len(centers)
    alpha = np.full(k, 255.0)
    plain = centers[:, :3].astype(np.float64)
    origin = np.array([0.0, CHROMA_OFFSET, CHROMA_OFFSET]) if space.name == "oklab" else np.zeros(3)
    if centers.shape[1] == 4:
        alpha = np.clip(np.rint(centers[:, 3] * 255 / UNIT), 1, 255)
        plain = origin + (plain - origin) * (255 / alpha)[:, np.newaxis]
    guess = np.clip(np.rint(_rgb(space.name, (plain - origin) / UNIT)), 0, 255).astype(np.int64)
    if grey:
        guess = np.repeat(guess[:, 1:2], 3, axis=1)
    options = np.clip(guess[:, np.newaxis] + (_GREY_NEIGHBOURS if grey else _NEIGHBOURS), 0, 255)
    points = space.points(options.reshape(-1, 3).astype(np.uint8), 1).reshape(k, -1, 3)
    squares = ((points - plain[:, np.newaxis]) ** 2).sum(axis=2)
    best = options[np.arange(k), squares.argmin(axis=1)]
    return np.concatenate([best, alpha[:, np.newaxis]], axis=1).astype(np.uint8)


def _rgb(space: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values in 0..1 of a space as sRGB in 0..255, not rounded."""
    if space == "srgb":
        return values * (UNIT / 64)
    if space == "oklab":
        values = (values @ _TO_ROOTS.T) ** 3 @ _FROM_CONES.T
    values = np.clip(values, 0, 1)
    return 255 * np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)
