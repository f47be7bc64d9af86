"""Image distortions, pair by pair, in the native core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core

LARGEST_GRADIENT: int = _core.LARGEST_GRADIENT
"""Gradients are whole numbers from minus this to this."""
MAX_WARP: int = _core.MAX_WARP


@dataclass(frozen=True)
class BothWays:
    """Distortions of images against their candidates, and of the candidates against the images.

    Both (n_images, n_candidates) int64.
    """

    forth: NDArray[np.int64]
    back: NDArray[np.int64]


@dataclass(frozen=True)
class DistortionOptions:
    """How far a pixel may move in each direction, 0 to 16; and how many of an image's candidates matter.

    Those farther than the ``n_nearest``-th nearest get the largest int64, and are measured no further
    than it takes to know; less, the nearer the first candidates are. None: all matter.
    """

    warp: int
    n_nearest: int | None = None


def distortions(
    images: NDArray[np.int8],
    references: NDArray[np.int8],
    candidates: NDArray[np.int32],
    options: DistortionOptions,
    n_threads: int,
) -> NDArray[np.int64]:
    """Return the image distortion of each image against the references that its row of candidates names.

    Whole numbers, the same on every instruction set and for any number of threads. ``images`` and
    ``references``, (n, 2, height, width), are horizontal and vertical gradients from -30 to 30, so that 16
    bits hold every sum of the model; ``candidates`` is (n_images, n_candidates).
    """
    return _distortions(images, references, candidates, options, n_threads, back=False).forth


def distortions_both_ways(
    images: NDArray[np.int8],
    references: NDArray[np.int8],
    candidates: NDArray[np.int32],
    options: DistortionOptions,
    n_threads: int,
) -> BothWays:
    """Return what ``distortions`` does, and the distortions of the candidates against each image."""
    return _distortions(images, references, candidates, options, n_threads, back=True)


def _distortions(
    images: NDArray[np.int8],
    references: NDArray[np.int8],
    candidates: NDArray[np.int32],
    options: DistortionOptions,
    n_threads: int,
    *,
    back: bool,
) -> BothWays:
    wanted = max(1, candidates.shape[1]) if options.n_nearest is None else options.n_nearest
    forth_and_back = _core.distortions(images, references, candidates, options.warp, wanted, back, n_threads)
    return BothWays(*map(np.asarray, forth_and_back))
