"""What a cluster looks like, where its centroid is no image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines import make_engine, resolve_n_threads


@dataclass(frozen=True, eq=False)
class ClusterPictures:
    """Each cluster as an image, (n_clusters, n_pixels): its images' mean, and the one nearest its centroid.

    ``medoids`` are rows of the images. By |x - c|^2 summed over a cluster being n |m - c|^2 plus a constant,
    m the mean, the image nearest the mean is the one whose summed squared distance to all others is least.
    """

    means: NDArray[np.float64]
    medoids: NDArray[np.intp]


def cluster_pictures(
    pixels: NDArray[Any],
    features: NDArray[Any],
    labels: NDArray[np.integer[Any]],
    centers: NDArray[np.float64],
    n_threads: int | None = None,
) -> ClusterPictures:
    """Return the pictures of the clusters ``labels`` (n,) of ``pixels`` (n, n_pixels) by their ``features``.

    ``centers`` (n_clusters, n_features) are the centroids. A cluster without images is shown as the image
    nearest its centroid.

    Examples
    --------
    >>> pixels = np.array([[0, 10], [0, 20], [0, 60], [90, 90]], dtype=np.uint8)
    >>> features = pixels.sum(axis=1, keepdims=True).astype(float)
    >>> shown = cluster_pictures(pixels, features, np.array([0, 0, 0, 1]), np.array([[30.0], [180.0]]))
    >>> shown.means.tolist(), shown.medoids.tolist()
    ([[0.0, 30.0], [90.0, 90.0]], [1, 3])
    """
    threads = resolve_n_threads(n_threads)
    engine = make_engine(np.require(features, requirements=["C", "A"]), None, threads)
    engine.labels = labels
    distances = engine.own_squared_distances(centers)
    order = np.lexsort((distances, labels))
    filled, first = np.unique(labels[order], return_index=True)
    medoids = np.full(len(centers), -1, dtype=np.intp)
    medoids[filled] = order[first]
    empty = np.flatnonzero(medoids < 0)
    if len(empty):
        medoids[empty] = engine.squared_distances(np.ascontiguousarray(centers[empty])).argmin(axis=0)
    images = make_engine(np.require(pixels, requirements=["C", "A"]), None, threads)
    images.labels = labels
    means = pixels[medoids].astype(np.float64)
    images.update(images.sums(len(centers)), means)
    return ClusterPictures(means, medoids)
