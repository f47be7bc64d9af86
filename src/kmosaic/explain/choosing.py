"""Choosing the number of clusters: by a curve, by a score, by what it is for."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmosaic.cluster import KMeans
from kmosaic.evaluate import SweepOptions, sweep
from kmosaic.explain.points import PointSet, islands, shirt_sizes
from kmosaic.explain.scaling import Rescaled, rescaled
from kmosaic.explain.starts import best_start, restarts
from kmosaic.explain.trace import Trace, trace

_SEEDS = tuple(range(6))
_MAX_CLUSTERS = 10
_PHOTO_WIDTH = 320
COLOURS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256)


@dataclass(frozen=True)
class Scores:
    """What each number of clusters of one data set scores; None where a score is not defined (one cluster).

    ``inertia`` is the lowest J over the seeds, ``silhouette`` and ``stability`` are means over them.
    """

    title: str
    n_clusters: tuple[int, ...]
    inertia: tuple[float, ...]
    silhouette: tuple[float | None, ...]
    stability: tuple[float | None, ...]


@dataclass(frozen=True, eq=False)
class Sizes:
    """The lesson's fourth part: people in three sizes and in five, and how badly each person is served.

    ``misfit`` holds, for each number of sizes, every person's distance to the size given: float64
    (n_people,). ``units`` has the same people in other units. ``stuck`` is a fit of five clusters that ends
    with a higher J than ``fewer``, one of three, on the points of ``stuck_data``.
    """

    data: PointSet
    fits: dict[int, Trace]
    misfit: dict[int, NDArray[np.float64]]
    units: tuple[Rescaled, ...]
    stuck_data: PointSet
    stuck: Trace
    fewer: Trace


@dataclass(frozen=True, eq=False)
class FewColours:
    """A photo painted with few colours: the PNG file, its error, and the colours themselves.

    ``error`` is the root of the mean squared difference a channel, in steps of 0..255; ``palette`` is uint8
    (n_colours, 3).
    """

    n_colours: int
    png: bytes
    error: float
    palette: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo as it is, as PNG, and painted with fewer and fewer colours."""

    title: str
    png: bytes
    n_colours: int
    width: int
    height: int
    versions: tuple[FewColours, ...]


@cache  # made-up points with a fixed seed: always the same
def sizes() -> Sizes:
    """Return the T-shirt sizes, and a fit of five clusters that is worse than one of three."""
    people, groups = shirt_sizes(), islands()
    fits = {k: trace(people.points, best_start(people, k)) for k in (3, 5)}
    misfit = {
        k: np.sqrt(np.square(people.points - fit.centers[fit.labels]).sum(axis=1)) for k, fit in fits.items()
    }
    five = restarts(groups, "random")
    stuck = trace(groups.points, five.starts[five.worst])
    fewer = trace(groups.points, best_start(groups, 3))
    return Sizes(people, fits, misfit, rescaled(), groups, stuck, fewer)


@lru_cache(maxsize=4)
def scores(data: PointSet) -> Scores:
    """Return J, silhouette and stability of ``data`` for one cluster to ten."""
    n_distinct = len(np.unique(data.points, axis=0))
    numbers = tuple(range(1, min(_MAX_CLUSTERS, n_distinct) + 1))
    table = sweep(data.points, n_clusters=numbers, seeds=_SEEDS, options=SweepOptions(n_threads=1)).table()
    lowest = [spread.min for row in table if (spread := row["inertia_raw"]) is not None]
    return Scores(
        data.title,
        numbers,
        tuple(lowest),
        tuple(row.mean("silhouette") for row in table),
        tuple(row.mean("stability") if row.n_clusters > 1 else None for row in table),
    )


def photo(pixels: NDArray[np.uint8], title: str) -> Photo:
    """Paint ``pixels`` (height, width, 3) uint8 with as few as 2 and as many as 256 colours.

    >>> few = photo(np.arange(48, dtype=np.uint8).reshape(4, 4, 3), "sixteen colours")
    >>> [version.n_colours for version in few.versions]
    [2, 3, 4, 6, 8, 12, 16]
    >>> few.versions[-1].error
    0.0
    """
    rows = np.ascontiguousarray(pixels.reshape(-1, 3))
    n_colours = len(np.unique(rows, axis=0))
    versions = tuple(_painted(pixels, rows, k) for k in COLOURS if k <= n_colours)
    height, width, _ = pixels.shape
    return Photo(title, _png(Image.fromarray(pixels)), n_colours, width, height, versions)


def _painted(pixels: NDArray[np.uint8], rows: NDArray[np.uint8], n_colours: int) -> FewColours:
    model = KMeans(n_colours, random_state=0, max_iter=40, tol=1e-5, n_init=1).fit(rows)
    palette = np.rint(model.cluster_centers_).astype(np.uint8)
    indexed = Image.fromarray(model.labels_.astype(np.uint8).reshape(pixels.shape[:2]), mode="P")
    indexed.putpalette(palette.tobytes())
    difference = palette[model.labels_].astype(np.float64) - rows
    return FewColours(n_colours, _png(indexed), float(np.sqrt(np.square(difference).mean())), palette)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


@cache
def painted_sample() -> Photo:
    """Return the sample photo, painted; always the same."""
    return photo(*sample_photo())


def sample_photo() -> tuple[NDArray[np.uint8], str]:
    """Return the photo inside scikit-learn as (height, width, 3) uint8, and whose it is."""
    from sklearn.datasets import load_sample_image

    image = Image.fromarray(load_sample_image("china.jpg"))
    height = round(image.height * _PHOTO_WIDTH / image.width)
    small = image.resize((_PHOTO_WIDTH, height), Image.Resampling.BOX)
    return np.asarray(small), "The Summer Palace, Beijing; photo by Dan Field (CC BY 2.0), from scikit-learn"
