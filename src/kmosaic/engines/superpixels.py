"""Superpixels of images whose values are whole numbers: k-means within windows, and connected regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core

MAX_FEATURE: int = _core.MAX_FEATURE
"""The largest value of a feature: differences of two fit 16 bits."""


@dataclass(frozen=True, eq=False)
class WindowedFit:
    """What to fit.

    Attributes
    ----------
    features
        (depth, height, width, channels) uint16, at most ``MAX_FEATURE``.
    inside
        (depth, height, width) bool: the pixels that get labels; None: all.
    seeds
        (n, 3) places of the first centres, in pixels.
    scale, reach
        For each axis, a pixel's length in units of the features, and how many pixels a window goes from its
        centre either way.
    max_iter
        Iterations at most.
    zero_floor
        SLICO: each centre divides squared colour distances by its largest, of at least this squared; 0: none.
    least, most
        Connected regions of fewer pixels join others, those of more are cut; most 0: left as they are.
    """

    features: NDArray[np.uint16]
    inside: NDArray[np.bool_] | None
    seeds: NDArray[np.int64]
    scale: tuple[float, float, float]
    reach: tuple[int, int, int]
    max_iter: int
    zero_floor: float = 0.0
    least: int = 0
    most: int = 0


@dataclass(frozen=True, eq=False)
class WindowedLabels:
    """``labels`` (depth, height, width) int32, -1 outside; how many there are, and iterations taken."""

    labels: NDArray[np.int32]
    n_regions: int
    n_iter: int


def fit_windowed(fit: WindowedFit, n_threads: int) -> WindowedLabels:
    """Fit superpixels: see ``cpp/extras/superpixels.hpp``. No result depends on ``n_threads``."""
    inside: Any = None if fit.inside is None else np.ascontiguousarray(fit.inside).view(np.uint8)
    axes = [list(fit.scale), [float(reach) for reach in fit.reach]]
    how = [float(fit.max_iter), fit.zero_floor, float(fit.least), float(fit.most)]
    labels, n_regions, n_iter = _core.superpixels(
        np.require(fit.features, requirements=["C", "A"]),
        inside,
        np.ascontiguousarray(fit.seeds),
        axes,
        how,
        n_threads,
    )
    return WindowedLabels(np.asarray(labels), n_regions, n_iter)
