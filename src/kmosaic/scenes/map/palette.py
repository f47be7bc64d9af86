"""Colours for classes: those of the ground, or ones that readers can tell apart whatever their sight."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from kmosaic.srgb import linear_light

# Okabe and Ito (2008) without black, which maps use for what is missing, and grey for the eighth.
_FIRST = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999")
_MAX = 256
_STEPS = 12
_DARKEST, _LIGHTEST = 0.35, 0.93
# Overall mean plus and minus so many deviations of the classes' means are shown as black and white.
_DEVIATIONS = 2.0
# How far apart the colours of two classes are, in Oklab: five times what is just noticed side by side.
_MIN_GAP = 0.1
_FINE_STEPS = 18

# From linear sRGB: what a viewer without L or without M cones sees (Vienot, Brettel and Mollon 1999).
_SIGHTS = np.array(
    [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
        [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
    ]
)
# From linear sRGB to cone responses, and from their cube roots to Oklab (Ottosson 2020).
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def distinct_colours(n_classes: int) -> NDArray[np.uint8]:
    """Return colours that people of normal, protanopic or deuteranopic sight can tell apart.

    They are (n_classes, 3) uint8. The first eight are Okabe and Ito's; each further one is, of a grid of
    colours, that which lies farthest from all before it, to whichever of the three sights sees them least
    apart. Past 256 they come again. The first colours are the same for any number of classes.

    >>> distinct_colours(9)[[0, 8]].tolist()
    [[230, 159, 0], [115, 0, 23]]
    """
    palette = _palette()
    return palette[np.arange(n_classes) % len(palette)]


def ground_colours(
    centers: NDArray[np.float64], sizes: NDArray[np.int64], rgb: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Return each class in about its natural colour in three bands: (n_classes, 3) uint8.

    ``centers`` is (n_classes, n_bands) in the bands' own units, ``sizes`` (n_classes,) how many pixels each
    has, ``rgb`` the bands' indices. Each band is stretched so that the mean of all pixels is the middle
    grey, and two deviations of the classes' means from it black and white. Of classes that could not be told
    apart by these colours, to one of the three sights of ``distinct_colours``, the smaller gets the nearest
    colour that can; past 256 classes all keep theirs.

    >>> ground_colours(np.array([[10.0, 0.0], [30.0, 0.0]]), np.array([1, 1]), (0, 0, 1)).tolist()
    [[64, 64, 128], [191, 191, 128]]
    """
    means = centers[:, list(rgb)]
    weights = sizes / max(int(sizes.sum()), 1) if sizes.any() else np.full(len(sizes), 1 / len(sizes))
    middle = weights @ means
    spread = np.sqrt(weights @ (means - middle) ** 2)
    flat = spread <= 1e-9 * np.abs(middle)  # what rounding leaves of no spread at all
    grey = np.where(flat, 0.5, (means - middle) / np.where(flat, 1.0, 2 * _DEVIATIONS * spread) + 0.5)
    colours = np.floor(np.clip(grey, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)
    return colours if len(colours) > _MAX else _apart(colours, np.argsort(-sizes, kind="stable"))


def _apart(colours: NDArray[np.uint8], order: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Colours moved as little as keeps each two apart; the first in ``order`` stay as they are."""
    gap = _MIN_GAP
    while (moved := _moved_by(colours, order, gap)) is None:
        gap *= 0.8  # there are not enough colours so far apart
    return moved


def _moved_by(colours: NDArray[np.uint8], order: NDArray[np.intp], gap: float) -> NDArray[np.uint8] | None:
    """The colours, each two at least ``gap`` apart; None where that leaves no colour for one."""
    grid = _grid(_FINE_STEPS)
    grid_views, views = _views(grid), _views(colours)
    free = np.ones(len(grid), dtype=np.bool_)
    moved = colours.copy()
    placed: list[int] = []
    for at in order:
        if placed and _gaps(views[:, placed], views[:, at]).min() < gap**2:
            if not free.any():
                return None
            # As people of normal sight see it.
            away = ((grid_views[0] - views[0, at]) ** 2).sum(axis=-1).round(9)
            nearest = int(np.where(free, away, np.inf).argmin())
            moved[at], views[:, at] = grid[nearest], grid_views[:, nearest]
        placed.append(int(at))
        free &= _gaps(grid_views, views[:, at]) >= gap**2
    return moved


@cache
def _palette() -> NDArray[np.uint8]:
    first = np.array([list(bytes.fromhex(colour[1:])) for colour in _FIRST], np.uint8)
    grid = _grid(_STEPS)
    # Nearly black and nearly white are what surrounds a map.
    lightness = _views(grid)[0, :, 0]
    candidates = grid[(lightness > _DARKEST) & (lightness < _LIGHTEST)]
    views, first_views = _views(candidates), _views(first)
    gaps = np.min([_gaps(views, colour) for colour in np.swapaxes(first_views, 0, 1)], axis=0)
    chosen = list(first)
    while len(chosen) < _MAX:
        farthest = int(gaps.argmax())
        chosen.append(candidates[farthest])
        gaps = np.minimum(gaps, _gaps(views, views[:, farthest]))
    return np.array(chosen)


def _grid(n_steps: int) -> NDArray[np.uint8]:
    levels = np.floor(np.linspace(0, 255, n_steps)).astype(np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)


def _views(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Colours (n, 3) as each of the three sights perceives them, in Oklab: (n_sights, n, 3)."""
    sighted = np.clip(np.einsum("sij,nj->sni", _SIGHTS, linear_light(colours)), 0.0, None)
    return np.asarray(np.cbrt(sighted @ _CONES.T) @ _OKLAB.T)


def _gaps(views: NDArray[np.float64], colour: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each is from one colour (n_sights, 3), to the sight that has them nearest: squared, (n,)."""
    # Rounded: the last bits of a cube root differ between machines, and the choice must not.
    squares: NDArray[np.float64] = ((views - colour[:, None]) ** 2).sum(axis=-1).min(axis=0)
    return squares.round(9)
