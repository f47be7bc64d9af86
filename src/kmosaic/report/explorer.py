"""What a reader can look into: each cluster with its members, the map of clusters, the confused pairs.

The pictures of all of it go into two sheets. How many members of each cluster there is room for depends on
how well the images compress, so that is measured on some of them first; what a PNG has too little room for
goes into a JPEG. Sheets beside the page (``thumbnails``) have room for all.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.evaluate.groups import cluster_groups
from kmosaic.features.base import with_signs
from kmosaic.images.collection import VectorCollection
from kmosaic.report.member_rows import MemberRows, common_labels, medoid_pixels, purity_of
from kmosaic.report.sheets import sheet
from kmosaic.report.tiles import display_range, tiles
from kmosaic.report.wording import clean

if TYPE_CHECKING:
    from kmosaic.evaluate import ClusterSummary
    from kmosaic.images.collection import Collection, ImageCollection
    from kmosaic.report.thumbnails import SheetFiles

PAGE_BYTES = 6_000_000
# Of these 0.5 MB are libraries and scripts, and as much is kept for the first images and what was skipped.
_OTHER_BYTES = 1_000_000
_CLUSTER_BYTES = 1_000  # a cluster's numbers, and its line in the table
_ESTIMATED = 0.95  # sizes are those of a sample
_LARGEST_SIDE = 64
_SMALLEST_SIDE = 16
_MAX_MEMBERS = 24
_MAX_BESIDE = 100_000  # images in a page whose pictures are beside it; each takes 80 bytes of text
_ENOUGH_MEMBERS = 6  # fewer, and smaller tiles are tried
_MAX_SAMPLED = 64  # tiles that tell how well the others compress
_MAX_CLUSTERS = 1_000
_MAX_SHARES = 8
_CLOSEST = 6
_MAP_POINTS = 1_500
_MIN_GROUPED = 64  # clusters; fewer are looked over at once
_N_GROUPS = (20, 40)
_MAX_LABELS = 40  # beyond, a matrix is no longer read cell by cell


@dataclass(frozen=True)
class Sampled:
    """How much of a clustering the page has room for: the side of a tile in pixels, images of each kind.

    ``lossy`` where the tiles are compressed as JPEG; ``beside`` where they are in files beside the page.
    """

    side: int
    n_members: int
    n_clusters: int
    lossy: bool = False
    beside: bool = False


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Rows that the page may show: of each cluster, and of each pair as (label, name, rows)."""

    members: list[MemberRows]
    cells: list[tuple[int, int, NDArray[np.int64]]]

    @classmethod
    def choose(
        cls, summary: ClusterSummary, shown: NDArray[np.intp], n_nearest: int = _MAX_MEMBERS
    ) -> _Candidates:
        """Up to ``n_nearest`` of each cluster, and a few of each other kind."""
        members = [MemberRows.candidates(summary, int(cluster), n_nearest, _MAX_MEMBERS) for cluster in shown]
        return cls(members, _cells(summary))

    def first(self, n: int) -> _Candidates:
        cells = [(true, named, rows[:n]) for true, named, rows in self.cells]
        return _Candidates([rows.first(n) for rows in self.members], cells)

    def few_once(self) -> _Candidates:
        """Of clusters that are looked through soon, no image twice: none as farthest that is among all."""
        few = 2 * _MAX_MEMBERS
        members = [rows.first(few) if len(rows.nearest) <= few else rows for rows in self.members]
        return _Candidates(members, self.cells)

    def n_distinct(self) -> int:
        kinds = [(rows.nearest, rows.farthest, rows.wrongly_named) for rows in self.members]
        cells = [rows for _, _, rows in self.cells]
        return len(np.unique(np.concatenate([row for kind in kinds for row in kind] + cells)))


class TileIndex:
    """Rows of a collection that the page shows, each once."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self._places: dict[int, int] = {}

    def place(self, row: int) -> int:
        """Return the number of the tile that shows ``row``."""
        if row not in self._places:
            self._places[row] = len(self.rows)
            self.rows.append(row)
        return self._places[row]

    def places(self, rows: NDArray[np.int64]) -> list[int]:
        return [self.place(int(row)) for row in rows]


def explorer_data(
    collection: Collection,
    summary: ClusterSummary,
    medoids: NDArray[np.integer[Any]] | None = None,
    points: NDArray[Any] | None = None,
    files: SheetFiles | None = None,
    centroids: NDArray[Any] | None = None,
) -> tuple[dict[str, Any], Sampled]:
    """Return what the page's script reads about a clustering, and how much of it that is.

    ``medoids`` are rows, one a cluster; by default the images nearest the centroids, which have the least
    summed squared distance to the others. ``points`` are rows for the map, by default some of the pixels.
    The centroids of vectors are no images: a cluster's picture is its medoid, and without images there is
    none. With ``files`` the pictures are written beside the page, and of each cluster are as many as there
    are, up to 100,000 in all. ``centroids`` say how alike clusters are, by default those of ``summary``.
    """
    shown = _clusters_in_page(summary)
    if files is None:
        candidates = _Candidates.choose(summary, shown)
        sampled = _room_for(collection, summary, candidates)
        candidates = candidates.first(sampled.n_members)
    else:
        n_nearest = _most_beside(np.asarray(summary.cluster_sizes)[shown])
        candidates = _Candidates.choose(summary, shown, n_nearest).few_once()
        sampled = Sampled(_LARGEST_SIDE, n_nearest, len(shown), beside=True)
    index = TileIndex()
    clusters = [_cluster(summary, rows, index) for rows in candidates.members]
    of_vectors = isinstance(collection, VectorCollection)
    for cluster in clusters:
        cluster["medoid"] = None if of_vectors else _medoid(cluster, medoids, index)
    centers = np.asarray(summary.cluster_centers)[shown]
    compared = centers if centroids is None else np.asarray(centroids)[shown]
    _set_closest(clusters, compared)
    plane = _Plane.fit(centers, np.asarray(summary.cluster_sizes)[shown])
    for cluster, place in zip(clusters, plane.places(centers), strict=True):
        cluster["place"] = place
    data: dict[str, Any] = {
        "n_clusters": summary.n_clusters,
        "clusters": clusters,
        "groups": _groups(compared, np.asarray(summary.cluster_sizes)[shown]),
        "label_names": list(summary.label_names or ()),
        "confusion": _confusion(summary, candidates, index),
        "points": plane.places(sampled_rows(collection.rows) if points is None else points),
        "centroids": None,
        "members": None,
    }
    if collection.images is not None:
        images = collection.images if files is None else files.images or collection.images
        faces = (
            _tiles(images, medoid_pixels(images, summary, medoids)[shown])
            if of_vectors
            else _tiles(collection.images, centers)
        )
        data |= _sheets(images, faces, np.array(index.rows, dtype=np.intp), files or sampled)
    data["images"] = [_image(collection, summary, row) for row in index.rows]
    return data, sampled


def _tiles(images: ImageCollection, pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Pixels of the form of ``images``, on the same scale as these."""
    return tiles(pixels, images.format, display_range(images.pixels, images.format))


def _sheets(
    images: ImageCollection, faces: NDArray[np.uint8], rows: NDArray[np.intp], place: SheetFiles | Sampled
) -> dict[str, Any]:
    """The pictures of the clusters, and those of images: in files, or in the page."""
    if isinstance(place, Sampled):
        members = _tiles(images, images.pixels[rows])
        written = [sheet(pictures, place.side, lossy=place.lossy) for pictures in (faces, members)]
    else:
        written = [
            place.write("clusters", len(faces), lambda first, stop: faces[first:stop]),
            place.write("images", len(rows), lambda a, b: _tiles(images, images.pixels[rows[a:b]])),
        ]
    return {"centroids": asdict(written[0]), "members": asdict(written[1])}


def _most_beside(sizes: NDArray[np.int64]) -> int:
    """How many images of each cluster make at most ``_MAX_BESIDE``, at least 1."""
    limits = range(1, int(sizes.max()) + 1)
    return max(1, bisect_right(limits, _MAX_BESIDE, key=lambda n: int(np.minimum(sizes, n).sum())))


def _room_for(collection: Collection, summary: ClusterSummary, candidates: _Candidates) -> Sampled:
    """Measure how well some tiles compress, and return how many of which size fit into the page."""
    rows = np.linspace(0, len(collection) - 1, min(_MAX_SAMPLED, len(collection))).astype(np.intp)
    images = collection.images
    sample = np.empty((0, 0, 0), np.uint8)
    if images is not None:
        sample = tiles(images.pixels[rows], images.format, display_range(images.pixels, images.format))
    texts = [json.dumps(_image(collection, summary, int(row))) for row in rows]
    text_bytes = sum(len(text.encode()) for text in texts) / len(rows)
    room = _ESTIMATED * (PAGE_BYTES - _OTHER_BYTES) - _CLUSTER_BYTES * len(candidates.members)

    def fitted(side: int, lossy: bool) -> Sampled:
        tile_bytes = (
            max(1.0, len(sheet(sample, side, lossy=lossy).uris[0]) / len(rows)) if len(sample) else 0.0
        )
        n_tiles = (room - len(candidates.members) * tile_bytes) / (tile_bytes + text_bytes)
        return Sampled(side, _most_within(candidates, n_tiles), len(candidates.members), lossy)

    if images is None:
        return fitted(0, False)
    return _first_with_enough(fitted, min(_LARGEST_SIDE, max(sample.shape[1:3])))


def _first_with_enough(fitted: Callable[[int, bool], Sampled], side: int) -> Sampled:
    """Prefer tiles that are exact, then large ones, but rather have a few of each kind than either."""
    exact = fitted(side, False)
    if exact.n_members == _MAX_MEMBERS:
        return exact
    lossy = fitted(side, True)
    if exact.n_members >= max(lossy.n_members, _ENOUGH_MEMBERS):
        return exact
    while lossy.n_members < _ENOUGH_MEMBERS and lossy.side > _SMALLEST_SIDE:
        lossy = fitted(max(_SMALLEST_SIDE, lossy.side * 3 // 4), True)
    return lossy


def _most_within(candidates: _Candidates, n_tiles: float) -> int:
    """How many rows of each kind make at most ``n_tiles`` tiles, at least 1."""
    for n in range(_MAX_MEMBERS, 1, -1):
        if candidates.first(n).n_distinct() <= n_tiles:
            return n
    return 1


def _clusters_in_page(summary: ClusterSummary) -> NDArray[np.intp]:
    """All clusters, or the largest where they are too many."""
    if summary.n_clusters <= _MAX_CLUSTERS:
        return np.arange(summary.n_clusters)
    return np.sort(np.argsort(-np.asarray(summary.cluster_sizes), kind="stable")[:_MAX_CLUSTERS])


def _cluster(summary: ClusterSummary, rows: MemberRows, index: TileIndex) -> dict[str, Any]:
    number = rows.cluster
    own = summary.distances[summary.labels == number]
    return {
        "cluster": number,
        "name": clean(summary.cluster_names[number]) if summary.cluster_names else "",
        "size": int(summary.cluster_sizes[number]),
        "purity": purity_of(summary, number),
        "spread": float(own.mean()) if own.size else None,
        "shares": [(label, round(share, 5)) for label, share in common_labels(summary, number, _MAX_SHARES)],
        "nearest": index.places(rows.nearest),
        "farthest": index.places(rows.farthest),
        "wrong": index.places(rows.wrongly_named),
    }


def _medoid(
    cluster: dict[str, Any], medoids: NDArray[np.integer[Any]] | None, index: TileIndex
) -> int | None:
    """The tile of a cluster's medoid; None where it has no images."""
    if not cluster["nearest"]:
        return None
    if medoids is None:
        return int(cluster["nearest"][0])
    return index.place(int(medoids[cluster["cluster"]]))


def _set_closest(clusters: list[dict[str, Any]], centers: NDArray[np.float64]) -> None:
    """For each cluster the places in ``clusters`` of those nearest to it, and their distances."""
    norms = np.square(centers).sum(axis=1)
    squared = np.maximum(norms[:, None] - 2 * centers @ centers.T + norms[None, :], 0)
    np.fill_diagonal(squared, np.inf)
    order = np.argsort(squared, axis=1, kind="stable")[:, : min(_CLOSEST, len(centers) - 1)]
    for at, cluster in enumerate(clusters):
        cluster["closest"] = [(int(other), float(np.sqrt(squared[at, other]))) for other in order[at]]


def _groups(centers: NDArray[np.float64], sizes: NDArray[np.int64]) -> list[list[int]]:
    """Places of clusters that are alike, a group each; none where there are few clusters."""
    if len(centers) < _MIN_GROUPED:
        return []
    return cluster_groups(centers, sizes, int(np.clip(round(len(centers) ** 0.5), *_N_GROUPS)))


@dataclass(frozen=True, eq=False)
class _Plane:
    """The two directions in which centroids differ most, weighted by their sizes (principal components)."""

    origin: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def fit(cls, centers: NDArray[np.float64], sizes: NDArray[np.int64]) -> _Plane:
        weights = np.maximum(sizes, 0) / max(1, int(sizes.sum()))
        origin = weights @ centers
        _, _, directions = np.linalg.svd((centers - origin) * np.sqrt(weights)[:, None], full_matrices=False)
        axes = np.zeros((2, centers.shape[1]))
        axes[: min(2, len(directions))] = directions[:2]
        # A direction is as good as its opposite: the same picture on every machine.
        return cls(origin, with_signs(axes))

    def places(self, rows: NDArray[Any]) -> list[list[float]]:
        """Where rows lie in it, to five figures."""
        places = (rows.astype(np.float64) - self.origin) @ self.axes.T
        return [[float(f"{x:.5g}"), float(f"{y:.5g}")] for x, y in places]


def sampled_rows(rows: NDArray[Any]) -> NDArray[Any]:
    """Return some of ``rows`` for the map, the same each time."""
    drawn = np.random.default_rng(0).choice(len(rows), min(_MAP_POINTS, len(rows)), replace=False)
    return rows[np.sort(drawn)]


def _cells(summary: ClusterSummary) -> list[tuple[int, int, NDArray[np.int64]]]:
    """For each pair of label and name some rows, those nearest their centroids first."""
    if summary.confusion is None or summary.true_labels is None or summary.predicted_labels is None:
        return []
    matrix = np.asarray(summary.confusion)
    order = np.argsort(summary.distances, kind="stable")
    pairs = summary.true_labels[order] * len(matrix) + summary.predicted_labels[order]
    return [
        (true, named, order[np.flatnonzero(pairs == true * len(matrix) + named)[:_MAX_MEMBERS]])
        for true, named in _pairs(matrix)
    ]


def _confusion(summary: ClusterSummary, candidates: _Candidates, index: TileIndex) -> dict[str, Any] | None:
    """The matrix, and for each cell some images."""
    if summary.confusion is None:
        return None
    matrix = np.asarray(summary.confusion)
    cells = [
        {"true": true, "named": named, "n": int(matrix[true, named]), "images": index.places(rows)}
        for true, named, rows in candidates.cells
    ]
    totals = matrix.sum(axis=1).tolist()
    return {"as_matrix": len(matrix) <= _MAX_LABELS, "totals": totals, "cells": cells}


def _pairs(matrix: NDArray[np.int64]) -> list[tuple[int, int]]:
    """The cells that are not empty; of a large matrix the wrong ones with most images."""
    cells = [(int(true), int(named)) for true, named in np.argwhere(matrix > 0)]
    if len(matrix) <= _MAX_LABELS:
        return cells
    wrong = [(true, named) for true, named in cells if true != named]
    return sorted(wrong, key=lambda pair: -int(matrix[pair]))[:_MAX_LABELS]


def _image(collection: Collection, summary: ClusterSummary, row: int) -> dict[str, Any]:
    label = None if summary.true_labels is None else int(summary.true_labels[row])
    return {
        "id": clean(collection.ids[row]),
        "label": label,
        "cluster": int(summary.labels[row]),
        "distance": float(f"{summary.distances[row]:.5g}"),
    }
