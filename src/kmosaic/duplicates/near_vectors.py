"""Vectors that are nearly the same, such as embeddings of copies of a picture, put into groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from kmosaic.duplicates.candidates import pairs_within
from kmosaic.duplicates.finding import PhotoDuplicates, photo_groups
from kmosaic.duplicates.grouping import Candidates, Stars, group
from kmosaic.duplicates.thumbnails import ListedImages, listed, thumbnails_of
from kmosaic.engines import resolve_n_threads, unit_rows
from kmosaic.errors import DataError
from kmosaic.features import NeighborIndex
from kmosaic.features.graph import distinct_rows
from kmosaic.features.nearest import MAX_PAIRS
from kmosaic.images.collection import Progress, VectorCollection
from kmosaic.images.memory_check import check_memory
from kmosaic.images.thumbnails import FilePixels
from kmosaic.rows import RowSource

METRICS = ("cosine", "euclidean")
# Chosen by copies of photos; see decision record 36.
COSINE_LIMIT = 0.1
_NEIGHBORS = 16  # of each vector, where not all pairs are compared
_BLOCK_VALUES = 1 << 22


@dataclass(frozen=True)
class VectorFindOptions:
    """How vectors that are nearly the same are sought.

    ``limit`` is the largest distance from a group's centre: 1 - cosine, 0 to 2, or the Euclidean distance by
    ``metric`` "euclidean". ``exact`` compares all pairs; None: of up to 100,000 vectors.
    """

    limit: float = COSINE_LIMIT
    metric: str = "cosine"
    exact: bool | None = None
    n_threads: int | None = None

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise DataError(f"metric={self.metric!r} must be one of {', '.join(METRICS)}")
        largest = 2.0 if self.metric == "cosine" else float(np.finfo(np.float32).max)
        if not 0 <= self.limit <= largest:
            raise DataError(f"limit={self.limit} must be from 0 to {largest:g}")


@dataclass(frozen=True, eq=False)
class _Places:
    """Distinct vectors, float32 and none longer than 1, of which the Euclidean distance is compared.

    ``nodes`` says which of them each row is, and ``rows`` which row is the first of each.
    """

    vectors: NDArray[np.float32]
    nodes: NDArray[np.int32]
    rows: NDArray[np.intp]
    metric: str
    unit: float  # a distance of the vectors given, where theirs is 1

    @classmethod
    def of(cls, given: NDArray[Any], options: VectorFindOptions) -> _Places:
        n, d = given.shape
        check_memory(8 * n * d, f"{n:,} vectors of {d:,} numbers", "take some of them, or fewer numbers")
        threads = resolve_n_threads(options.n_threads)
        vectors, unit = _scaled(given, options.metric, threads)
        rows, nodes = distinct_rows(vectors, threads)
        distinct = vectors if len(rows) == n else vectors[rows]
        return cls(distinct, nodes, rows, options.metric, unit)

    def radius(self, limit: float) -> float:
        """The Euclidean distance of unit vectors u, v is the root of 2 (1 - cos)."""
        return float(np.sqrt(2 * limit)) if self.metric == "cosine" else limit / self.unit

    def distances(self, pairs: NDArray[np.int32]) -> NDArray[np.float32]:
        out = np.empty(len(pairs), np.float32)
        step = max(1, _BLOCK_VALUES // self.vectors.shape[1])
        for start in range(0, len(pairs), step):
            some = pairs[start : start + step]
            apart = self.vectors[some[:, 0]].astype(np.float64) - self.vectors[some[:, 1]]
            squares = (apart * apart).sum(axis=1)
            out[start : start + step] = (
                squares / 2 if self.metric == "cosine" else np.sqrt(squares) * self.unit
            )
        return out


def find_near_vectors(
    vectors: VectorCollection,
    files: Sequence[Path] | None = None,
    options: VectorFindOptions | None = None,
    *,
    progress: Progress | None = None,
) -> PhotoDuplicates:
    """Find groups of vectors that are nearly the same; ``files`` are those of their pictures, if any.

    Groups are those of ``find_duplicates``: every member within the limit of the group's centre, or linked to
    one that is, and within one and a half times the limit. All pairs of up to 100,000 vectors are compared.
    Beyond, the 16 nearest of each are looked for in near k-means cells (``NeighborIndex``).

    Raises DataError for one vector alone, or where memory does not suffice, or too many pairs are alike.

    Examples
    --------
    >>> three = np.array([[1.0, 0.0], [0.0, 5.0], [2.0, 0.1]])
    >>> found = find_near_vectors(VectorCollection("v", three, None, None, None, ("a", "b", "c")))
    >>> [group.rows.tolist() for group in found.groups]
    [[0, 2]]
    """
    options = options or VectorFindOptions()
    if len(vectors) < 2:
        raise DataError(f"{vectors.source or vectors.name}: duplicates need at least two vectors")
    rows: Any = vectors.vectors
    places = _Places.of(rows.load() if isinstance(rows, RowSource) else rows, options)
    with threadpool_limits(1, user_api="blas"):
        pairs, recall = _candidates(places, options, progress)
    candidates = Candidates(pairs, np.zeros(len(pairs), bool))
    stars = group(
        len(places.vectors), candidates, lambda some, _: places.distances(some), options.limit, progress
    )
    groups = photo_groups(_of_all(stars, places))
    grouped = np.concatenate([np.empty(0, np.intp), *(one.rows for one in groups)])
    return PhotoDuplicates(_images(vectors, files, grouped), len(vectors), groups, recall)


def _scaled(given: NDArray[Any], metric: str, threads: int) -> tuple[NDArray[np.float32], float]:
    """The vectors of unit length; or moved to their mean, and divided by the length of the longest."""
    out = np.zeros(given.shape, np.float32)
    step = max(1, _BLOCK_VALUES // given.shape[1])
    parts = [slice(start, start + step) for start in range(0, len(given), step)]
    if metric == "cosine":
        for part in parts:
            some = np.ascontiguousarray(given[part])
            filled = np.flatnonzero(some.any(axis=1))  # what is all zeros has no direction
            if len(filled):
                out[part.start + filled] = unit_rows(some[filled], threads)
        return out, 1.0
    mean = sum(given[part].sum(axis=0, dtype=np.float64) for part in parts) / len(given)
    longest = max(float(np.linalg.norm(given[part] - mean, axis=1).max()) for part in parts) or 1.0
    for part in parts:
        out[part] = (given[part] - mean) / longest
    return out, longest


def _candidates(
    places: _Places, options: VectorFindOptions, progress: Progress | None
) -> tuple[NDArray[np.int32], float]:
    """Pairs of distinct vectors within the limit, and the share of a sample's nearest that are found."""
    n, radius = len(places.vectors), places.radius(options.limit)
    threads = resolve_n_threads(options.n_threads)
    if n * n <= MAX_PAIRS or options.exact:
        return pairs_within(places.vectors, None, radius, threads, progress), 1.0

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(done, total, "neighbours")

    index = NeighborIndex(places.vectors, exact=False, n_threads=threads, callback=report)
    near = index.search(None, _NEIGHBORS)
    one, place = np.nonzero(near.distances <= radius)
    pairs = np.sort(np.stack([one.astype(np.int32), near.indices[one, place]], axis=1), axis=1)
    return np.unique(pairs, axis=0), near.recall


def _of_all(stars: Stars, places: _Places) -> Stars:
    """The groups of distinct vectors as those of all rows; equal rows alone are a group, too."""
    several = np.flatnonzero((np.bincount(places.nodes) > 1) & (stars.centres < 0))
    stars.centres[several] = several
    centres = stars.centres[places.nodes]
    grouped = centres >= 0
    centres[grouped] = places.rows[centres[grouped]]
    return Stars(centres, stars.distances[places.nodes], stars.mirrored[places.nodes])


def _images(vectors: VectorCollection, files: Sequence[Path] | None, rows: NDArray[np.intp]) -> ListedImages:
    pictures = vectors.images
    if files is None and pictures is not None and not isinstance(pictures.pixels, FilePixels):
        return thumbnails_of(pictures)
    return listed(vectors.ids, files or (None,) * len(vectors), rows, vectors.skipped)
