"""Image distortions, pair by pair, in the native core."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core

LARGEST_GRADIENT: int = _core.LARGEST_GRADIENT
"""Gradients are whole numbers from minus this to this."""
MOST_WARP: int = _core.MOST_WARP
FARTHER_THAN_NEAREST: int = np.iinfo(np.int64).max
"""In the place of distortions that are not among the nearest asked for."""


def distortions(
    images: NDArray[np.int8],
    references: NDArray[np.int8],
    candidates: NDArray[np.int32],
    warp: int,
    n_threads: int,
    *,
    n_nearest: int | None = None,
) -> NDArray[np.int64]:
    """Return the image distortion of each image against the references that its row of candidates names.

    Whole numbers, the same on every instruction set and for any number of threads.

    Parameters
    ----------
    images, references : (n, 2, height, width) int8
        Horizontal and vertical gradients, from -30 to 30: then 16 bits hold every sum of the model.
    candidates : (n_images, n_candidates) int32
    warp : int
        How far a pixel may move in each direction, 0 to 16.
    n_nearest : int, optional
        How many of an image's candidates are of interest: those farther than its ``n_nearest``-th nearest
        get ``FARTHER_THAN_NEAREST``, and are measured no further than it takes to know; less, the nearer the
        first candidates are.
        None: all.
    """
    wanted = max(1, candidates.shape[1]) if n_nearest is None else n_nearest
    return np.asarray(_core.distortions(images, references, candidates, warp, wanted, n_threads))
