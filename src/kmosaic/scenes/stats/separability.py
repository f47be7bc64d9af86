"""Separability of classes: the Jeffries-Matusita distance between normal distributions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The variance that rounding to whole numbers gives a value (Sheppard's correction).
ROUNDING_VARIANCE = 1 / 12
_SMALLEST_SHARE = 1e-6


def jeffries_matusita(
    means: NDArray[np.float64],
    covariances: NDArray[np.float64],
    sizes: NDArray[np.int64],
    rounding: float = ROUNDING_VARIANCE,
) -> NDArray[np.float64]:
    """Return how far apart each pair of classes is, 0 (the same) to 2: float64 (n_classes, n_classes).

    Classes are taken as normal distributions, ``means`` (n_classes, n_bands) and ``covariances``
    (n_classes, n_bands, n_bands). A class of no more pixels than bands has no usable covariance: NaN.
    So that a class whose pixels are all alike in a band can be compared, too, each variance has
    ``rounding`` added, the square of what a value is uncertain by, and a millionth of the band's largest.

    References
    ----------
    P. H. Swain and S. M. Davis (eds.), Remote Sensing: The Quantitative Approach, McGraw-Hill (1978),
    chapter 3, in the scale of 0 to 2 as J. A. Richards, Remote Sensing Digital Image Analysis, Springer
    (2013), chapter 10, has it.

    Examples
    --------
    Two classes of equal variance 1 and means 2 apart: 2 (1 - exp(-1/2)).

    >>> apart = jeffries_matusita(np.array([[0.0], [2.0]]), np.ones((2, 1, 1)), np.array([9, 9]), rounding=0)
    >>> apart.round(4).tolist()
    [[0.0, 0.7869], [0.7869, 0.0]]
    """
    n_classes, n_bands = means.shape
    distances = np.full((n_classes, n_classes), np.nan)
    known = np.flatnonzero(sizes > n_bands)
    if len(known) == 0:
        return distances
    spreads = covariances[known] + np.diag(_floor(covariances[known], rounding))
    logarithms = np.linalg.slogdet(spreads)[1]
    for place, first in enumerate(known):
        between = (spreads + spreads[place]) / 2
        gaps = means[known] - means[first]
        mahalanobis = (gaps * np.linalg.solve(between, gaps[..., None])[..., 0]).sum(axis=1)
        shapes = np.linalg.slogdet(between)[1] - (logarithms + logarithms[place]) / 2
        bhattacharyya = mahalanobis / 8 + shapes / 2
        distances[first, known] = 2 * -np.expm1(-np.maximum(bhattacharyya, 0.0))
    return distances


def _floor(covariances: NDArray[np.float64], rounding: float) -> NDArray[np.float64]:
    """What is added to each band's variance: (n_bands,), above 0."""
    largest = np.einsum("kbb->kb", covariances).max(axis=0)
    floor = rounding + _SMALLEST_SHARE * largest
    # A band in which no class varies tells classes apart by any difference at all.
    return np.where(floor > 0, floor, max(float(floor.max()), 1.0) * _SMALLEST_SHARE)
