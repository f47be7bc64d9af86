"""Vectors by how they hang together: a diffusion map of the graph of their nearest neighbours."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import psutil
from numpy.typing import ArrayLike, NDArray

from kmosaic.engines import nearest_rows, resolve_n_threads
from kmosaic.features.base import (
    ImageShape,
    ImageTransformer,
    Progress,
    check_array,
    check_real,
    check_whole,
)
from kmosaic.features.graph import ImageNeighbors, distinct_rows
from kmosaic.features.neighbour_graph import (
    Edges,
    diffuse,
    local_scales,
    neighbour_graph,
    place_among,
    scale_neighbor,
)

# Vectors at a time: progress is told, and Ctrl-C heard, in between.
_SLAB = 4096


class VectorGraph(ImageTransformer):
    """Place vectors by how a random walk spreads among their nearest neighbours: a diffusion map.

    As ``GraphEmbedding``, which compares images; here the neighbours are those by Euclidean distance, found
    exactly. It suits embeddings, whose long distances say little. A new vector goes to the weighted mean of
    the vectors fitted that are nearest to it; one of these, to its own place.

    Parameters
    ----------
    n_components : int, default 100
        Coordinates of a vector. For k clusters k - 1 are of use where those are fewer.
    n_neighbors : int, default 7
        Edges of a vector. Half as many place a new one.
    time : float, default 8
        Steps of the random walk: how much the coarse outweighs the fine.
    image_shape, n_threads, callback
        See ``ImageTransformer``.

    Attributes
    ----------
    references_ : (n_nodes, n_features_in_)
        The distinct vectors fitted: float64, of float32 and narrower ones float32.
    embedding_ : (n_nodes, n_components) float32
        Their coordinates. Where there are too few of them, the last are 0.
    eigenvalues_ : (n_components,) float64
        Of the random walk, largest first, without the first of all, 1.
    nodes_ : (n_samples,) int32
        Which of the distinct vectors each vector fitted is.
    scales_ : (n_nodes,) float64
        Distances to a near neighbour.

    Notes
    -----
    Time grows with the square of the number of vectors. All of them are compared in float64, 8 bytes a
    number, and are kept to place new ones: fewer features (``Whiten`` before it) make both smaller.

    Raises
    ------
    ValueError
        In ``fit``, for parameters out of range, NaN or infinity, or where memory does not suffice.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> VectorGraph(n_components=10).fit_transform(load_digits().data).shape
    (1797, 10)
    """

    _ARRAYS: ClassVar[tuple[str, ...]] = ("references", "scales", "embedding", "eigenvalues")
    _TAKES_VECTORS: ClassVar[bool] = True

    references_: NDArray[Any]
    scales_: NDArray[np.float64]
    embedding_: NDArray[np.float32]
    eigenvalues_: NDArray[np.float64]
    nodes_: NDArray[np.int32]

    def __init__(
        self,
        n_components: int = 100,
        *,
        n_neighbors: int = 7,
        time: float = 8.0,
        image_shape: ImageShape | None = None,
        n_threads: int | None = None,
        callback: Progress | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_threads=n_threads, callback=callback)
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.time = time

    def fit_transform(self, X: ArrayLike, y: Any = None) -> NDArray[np.float32]:
        """Fit, and return the coordinates of the vectors fitted: (n_samples, n_components) float32."""
        return self.fit(X, y).embedding_[self.nodes_]

    def neighbors(self, X: ArrayLike) -> ImageNeighbors:
        """Return the nearest others of each distinct row of X, (n_samples, n_features), by their distance.

        Nothing is fitted: what ``fit`` begins with, without the rest.
        """
        finder = type(self)(**self.get_params(deep=False))
        near = finder._neighbours(finder._rows(X, reset=True))
        return ImageNeighbors(finder.nodes_, near.indices, near.distances)

    @property
    def _n_features_out(self) -> int:
        return int(self.embedding_.shape[1])

    def _check_parameters(self) -> None:
        check_whole("n_components", self.n_components, 1, 10_000)
        check_whole("n_neighbors", self.n_neighbors, 1, 1000)
        check_real("time", self.time, 0, 1000)

    def _check_state(self) -> None:
        n = len(self.embedding_)
        if n < 1:
            raise ValueError("embedding must have at least one row")
        dtype = np.float64 if self.references_.dtype == np.float64 else np.float32
        check_array("references", self.references_, dtype, (n, self.n_features_in_))
        check_array("scales", self.scales_, np.float64, (n,))
        check_array("embedding", self.embedding_, np.float32, (n, int(self.n_components)))
        check_array("eigenvalues", self.eigenvalues_, np.float64, (int(self.n_components),))
        if not (self.scales_ > 0).all():
            raise ValueError("scales must be above 0")

    def _fit(self, rows: NDArray[Any]) -> None:
        near = self._neighbours(rows)
        self._begin("coordinates")
        self.scales_ = near.scales
        diffusion = diffuse(neighbour_graph(near), self.n_components, self.time)
        self.embedding_ = diffusion.coordinates.astype(np.float32)
        self.eigenvalues_ = diffusion.eigenvalues
        self._report(len(rows), len(rows))

    def _neighbours(self, rows: NDArray[Any]) -> Edges:
        self._check_parameters()
        self._check_memory(rows)
        self._begin("neighbours")
        threads = resolve_n_threads(self.n_threads)
        kept, self.nodes_ = distinct_rows(rows, threads)
        dtype = np.float64 if rows.dtype == np.float64 else np.float32
        self.references_ = np.require(rows if len(kept) == len(rows) else rows[kept], dtype, ["C"])
        n = len(kept)
        if n == 1:  # its own neighbour
            return Edges(np.zeros((1, 1), np.int32), np.zeros((1, 1)), np.ones(1))
        k = min(self.n_neighbors, n - 1)
        others = self.references_.astype(np.float64)
        indices, distances = np.empty((n, k), np.int32), np.empty((n, k))
        for start in range(0, n, _SLAB):
            slab = slice(start, start + _SLAB)
            near = nearest_rows(others[slab], others, k, threads, own=start)
            indices[slab], distances[slab] = near.indices, np.sqrt(near.squared_distances)
            self._report(min(start + _SLAB, n), n)
        return Edges(indices, distances, local_scales(distances, scale_neighbor(self.n_neighbors)))

    def _check_memory(self, rows: NDArray[Any]) -> None:
        n, d = rows.shape
        kept = 8 if rows.dtype == np.float64 else 4
        needed = n * (d * (8 + kept) + 96 * self.n_neighbors + 20 * self.n_components + 24)
        available = int(psutil.virtual_memory().available)
        if needed > available:
            max_rows = int(n * (available / needed) * 0.9)
            raise ValueError(
                f"the neighbour graph of {n:,} vectors of {d:,} numbers needs about {needed / 1e9:.1f} GB of "
                f"memory, and {available / 1e9:.1f} GB are available; fit on at most {max_rows:,} and "
                "transform the rest, or whiten them to fewer numbers first"
            )

    def _transform(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        others = self.references_.astype(np.float64)
        out = np.empty((len(rows), self._n_features_out), np.float32)
        k = min(max(1, self.n_neighbors // 2), len(others))
        for start in range(0, len(rows), _SLAB):
            part = rows[start : start + _SLAB].astype(np.float64)
            near = nearest_rows(part, others, k, resolve_n_threads(self.n_threads))
            distances = np.sqrt(near.squared_distances)
            placed = place_among(near.indices, distances, self.scales_, self.embedding_)
            known = np.flatnonzero(distances[:, 0] == 0)
            placed[known] = self.embedding_[near.indices[known, 0]]
            out[start : start + len(part)] = placed
            self._report(start + len(part), len(rows))
        return out

    def _report(self, done: int, total: int) -> None:
        if self.callback is not None:
            self.callback(done, total)
