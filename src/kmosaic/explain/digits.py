"""From points to pictures: images as rows of numbers, their centroids forming, and names for clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmosaic.cluster import KMeans
from kmosaic.evaluate import ClusterSummary, summarise
from kmosaic.explain.trace import fit_from
from kmosaic.images import ImageCollection
from kmosaic.models.image_model import ImageFormat

# The first iterations change most; the last shown is the end.
_SHOWN_ITERATIONS = (1, 2, 3, 4, 6, 9, 14, 25)
_FEW = 10
_NUMBERS = (10, 20, 50, 100, 256)
_IMAGES_PER_CLUSTER = 5
PIXEL_UNITS = "squared pixel values (pixels scaled to 0..1)"
"""What J is in wherever the lesson says it of images."""


@dataclass(frozen=True, eq=False)
class Film:
    """Centroids of images at some iterations of one fit, 0 for the start, and J there.

    ``centers`` holds one float64 (n_clusters, n_features) for each of ``iterations``; ``inertia`` is in
    ``PIXEL_UNITS``.
    """

    iterations: tuple[int, ...]
    centers: tuple[NDArray[np.float64], ...]
    inertia: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Pictures:
    """The lesson's sixth part.

    ``first`` is the image shown as numbers; ``film`` forms ten centroids; ``summaries`` holds one summary for
    each number of clusters, the smallest first.
    """

    collection: ImageCollection
    first: NDArray[np.generic]
    film: Film
    summaries: tuple[ClusterSummary, ...]

    @property
    def format(self) -> ImageFormat:
        return self.collection.format

    def inertia(self, summary: ClusterSummary) -> float:
        """J of one of the summaries, in ``PIXEL_UNITS``."""
        return _in_pixel_units(summary.inertia, self.collection)


def check_images(collection: ImageCollection) -> None:
    """Tell whether the lesson can be taught on these images.

    Raises ValueError when they have no labels, or are fewer than fifty.
    """
    if collection.labels is None:
        raise ValueError(
            f"{collection.name} has no labels; the lesson names clusters after those: give labelled images"
        )
    if len(collection) < _FEW * _IMAGES_PER_CLUSTER:
        raise ValueError(
            f"{collection.name} has {len(collection)} images; give at least {_FEW * _IMAGES_PER_CLUSTER}"
        )


def pictures(collection: ImageCollection, on_fit: Callable[[int, int], None] | None = None) -> Pictures:
    """Return centroids forming and clusters named, for a collection of labelled images.

    ``on_fit(done, total)`` is called after every fit.

    Raises ValueError when the images have no labels, or are fewer than fifty.
    """
    check_images(collection)
    numbers = [k for k in _NUMBERS if k * _IMAGES_PER_CLUSTER <= len(collection)]
    film = _film(collection)
    summaries = []
    for done, k in enumerate(numbers, start=1):
        model = KMeans(k, random_state=0).fit(collection.pixels)
        summaries.append(
            summarise(
                model,
                collection.pixels,
                collection.labels,
                label_names=collection.label_names,
                labels=model.labels_,
            )
        )
        if on_fit is not None:
            on_fit(done, len(numbers))
    return Pictures(collection, collection.pixels[0], film, tuple(summaries))


def _film(collection: ImageCollection) -> Film:
    """One fit from ten random images, as fits of few iterations that continue one another."""
    rows = np.random.default_rng(1).choice(len(collection), _FEW, replace=False)
    centers = collection.pixels[np.sort(rows)].astype(np.float64)
    whole = KMeans(_FEW, init=centers, n_init=1).fit(collection.pixels)
    shown = [n for n in _SHOWN_ITERATIONS if n < whole.n_iter_] + [whole.n_iter_]
    frames, inertia, at = [centers], [float(whole.inertia_history_[0])], 0
    for iteration in shown:
        if iteration == whole.n_iter_:
            centers = whole.cluster_centers_
        else:
            centers = fit_from(collection.pixels, centers, max_iter=iteration - at).cluster_centers_
        frames.append(centers)
        inertia.append(float(whole.inertia_history_[min(2 * iteration, len(whole.inertia_history_) - 1)]))
        at = iteration
    return Film((0, *shown), tuple(frames), tuple(_in_pixel_units(value, collection) for value in inertia))


def _in_pixel_units(inertia: float, collection: ImageCollection) -> float:
    return inertia / collection.format.max_value**2
