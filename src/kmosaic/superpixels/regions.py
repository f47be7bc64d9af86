"""What is known of each region, and regions joined into classes by k-means of their means."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.cluster import KMeans
from kmosaic.engines.threads import resolve_n_threads
from kmosaic.errors import DataError
from kmosaic.superpixels.features import features


@dataclass(frozen=True, eq=False)
class Regions:
    """A table of regions, one entry each, by ascending label.

    Attributes
    ----------
    labels, sizes
        (n,) int64: labels, and numbers of pixels.
    centers
        (n, axes) float64: mean places, in pixels: (row, column), or (plane, row, column).
    means
        (n, channels) float64: mean values, in the image's own units.
    neighbors
        For each region, the labels of those that share a face of a pixel with it, ascending.
    """

    labels: NDArray[np.int64]
    sizes: NDArray[np.int64]
    centers: NDArray[np.float64]
    means: NDArray[np.float64]
    neighbors: tuple[NDArray[np.int64], ...]


def regions(labels: Any, image: Any, *, background: int = 0) -> Regions:
    """Describe the regions of an image (..., channels), or of the same shape as ``labels``.

    Pixels of the label ``background`` are in no region.

    Raises DataError where the two do not fit, or labels are no integers.

    >>> found = regions([[1, 1, 2], [1, 2, 2]], [[0, 0, 9], [3, 9, 9]])
    >>> found.sizes.tolist(), found.means.tolist(), found.neighbors[0].tolist()
    ([3, 3], [[1.0], [9.0]], [2])
    """
    labels, values = _checked(labels, image)
    names, index, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    index = index.reshape(labels.shape)
    kept = names != background
    flat = index.reshape(-1)
    centers = [_means(flat, at, sizes) for at in _places(labels.shape)]
    means = [_means(flat, values[..., c].reshape(-1), sizes) for c in range(values.shape[-1])]
    return Regions(
        names[kept].astype(np.int64),
        sizes[kept].astype(np.int64),
        np.stack(centers, axis=1)[kept],
        np.stack(means, axis=1)[kept],
        _neighbors(index, names, kept),
    )


def _checked(labels: Any, image: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    labels, values = np.asarray(labels), np.asarray(image)
    if labels.dtype.kind not in "ui" or labels.ndim not in (2, 3) or not labels.size:
        raise DataError(
            f"labels of shape {labels.shape} and dtype {labels.dtype} must be integers, (h, w) or (d, h, w)"
        )
    if values.shape == labels.shape:
        values = values[..., np.newaxis]
    if values.shape[:-1] != labels.shape or not values.shape[-1] or values.dtype.kind not in "buif":
        raise DataError(
            f"image of shape {values.shape} and dtype {values.dtype} must have the shape of the labels, "
            f"{labels.shape}, channels last"
        )
    return labels, values


def _places(shape: tuple[int, ...]) -> list[NDArray[np.int64]]:
    """The coordinates of all pixels, an array for each axis."""
    grids = np.broadcast_arrays(*np.ogrid[tuple(slice(size) for size in shape)])
    return [grid.reshape(-1) for grid in grids]


def _means(index: NDArray[np.intp], values: NDArray[Any], sizes: NDArray[np.intp]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.bincount(index, values, minlength=len(sizes)) / sizes
    return means


def _neighbors(
    index: NDArray[np.intp], names: NDArray[Any], kept: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], ...]:
    keys = []
    for axis in range(index.ndim):
        a = np.moveaxis(index, axis, 0)[:-1]
        b = np.moveaxis(index, axis, 0)[1:]
        apart = a != b
        low, high = np.minimum(a[apart], b[apart]), np.maximum(a[apart], b[apart])
        keys.append(np.unique(low.astype(np.int64) * len(names) + high))
    pairs = np.stack(np.divmod(np.unique(np.concatenate(keys)), len(names)), axis=1)
    pairs = pairs[kept[pairs].all(axis=1)]
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = both[np.lexsort((both[:, 1], both[:, 0]))]
    ends = np.searchsorted(both[:, 0], np.arange(len(names) + 1))
    lists = [names[both[start:end, 1]].astype(np.int64) for start, end in itertools.pairwise(ends.tolist())]
    return tuple(one for one, is_kept in zip(lists, kept, strict=True) if is_kept)


def merge(
    labels: Any, image: Any, n_classes: int, *, background: int = 0, n_threads: int | None = None
) -> NDArray[np.int32]:
    """Join regions into ``n_classes`` classes, by k-means of their means, each counting as it has pixels.

    Means are of colours in Oklab where the image has three channels, else of its channels. Classes are
    numbered from 1 by their mean brightness (else first channel), the lowest first; ``background`` becomes 0.

    Raises DataError where labels and image do not fit, or there are fewer distinct regions than classes.

    >>> merge([[1, 1, 2, 3]], [[5, 6, 80, 7]], 2).tolist()
    [[1, 1, 2, 1]]
    """
    labels, values = _checked(labels, image)
    inside = labels != background
    classes = np.zeros(labels.shape, np.int32)
    threads = resolve_n_threads(n_threads)
    names, index = np.unique(labels[inside], return_inverse=True)
    if not 1 <= n_classes <= len(names):
        raise DataError(f"n_classes={n_classes} must be from 1 to the number of regions, {len(names)}")
    points = features(values, inside, lab=values.shape[-1] == 3, n_threads=threads)[inside]
    sizes = np.bincount(index.reshape(-1))
    means = np.stack([_means(index.reshape(-1), points[:, c], sizes) for c in range(points.shape[1])], axis=1)
    n_distinct = len(np.unique(means, axis=0))
    if n_distinct < n_classes:
        raise DataError(f"n_classes={n_classes} must be at most {n_distinct}, of regions whose means differ")
    fit = KMeans(n_clusters=n_classes, random_state=0, n_threads=threads).fit(
        means, sample_weight=sizes.astype(np.float64)
    )
    order = np.lexsort(fit.cluster_centers_.T[::-1])
    numbers = np.empty(n_classes, np.int32)
    numbers[order] = np.arange(1, n_classes + 1)
    classes[inside] = numbers[fit.labels_[index.reshape(-1)]]
    return classes
