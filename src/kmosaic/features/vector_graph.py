"""Vectors by how they hang together: a diffusion map of the graph of their nearest neighbours."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmosaic.engines import resolve_n_threads
from kmosaic.features.base import ImageShape, Progress, check_array, check_flag
from kmosaic.features.graph import ImageNeighbors, distinct_rows
from kmosaic.features.nearest import NeighborIndex
from kmosaic.features.neighbour_graph import DiffusionMap, Edges, place_among

# Vectors at a time that are placed.
_SLAB = 4096


class VectorGraph(DiffusionMap):
    """Place vectors by how a random walk spreads among their nearest neighbours: a diffusion map.

    As ``GraphEmbedding``, which compares images; here the neighbours are those by Euclidean distance. It
    suits embeddings, whose long distances say little. A new vector goes to the weighted mean of the vectors
    fitted that are nearest to it; one of these, to its own place.

    Parameters
    ----------
    n_components : int, default 100
        Coordinates of a vector. For k clusters k - 1 are of use where those are fewer.
    n_neighbors : int, default 7
        Edges of a vector. Half as many place a new one.
    time : float, default 8
        Steps of the random walk: how much the coarse outweighs the fine.
    exact : bool or None, default None
        Compare all pairs of vectors. None: up to 100,000 vectors. Beyond, they are looked for in near k-means
        cells, which finds 98 of 100 of them: see ``NeighborIndex``.
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
    recall_ : float
        The share of a sample's true neighbours that were found: 1 where all pairs were compared. A model file
        does not keep it.

    Notes
    -----
    All vectors are kept, to place new ones: fewer features (``Whiten`` before it) make time and memory
    smaller.

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
    recall_: float

    def __init__(  # noqa: PLR0913 (scikit-learn's contract: parameters are the constructor's arguments)
        self,
        n_components: int = 100,
        *,
        n_neighbors: int = 7,
        time: float = 8.0,
        exact: bool | None = None,
        image_shape: ImageShape | None = None,
        n_threads: int | None = None,
        callback: Progress | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_threads=n_threads, callback=callback)
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.time = time
        self.exact = exact

    def neighbors(self, X: ArrayLike) -> ImageNeighbors:
        """Return the nearest others of each distinct row of X, (n_samples, n_features), by their distance.

        Nothing is fitted: what ``fit`` begins with, without the rest.
        """
        finder = type(self)(**self.get_params(deep=False))
        finder._check_parameters()
        near = finder._neighbours(finder._rows(X, reset=True))[0]
        return ImageNeighbors(finder.nodes_, near.indices, near.distances, finder.recall_)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.exact is not None:
            check_flag("exact", self.exact)

    def _check_state(self) -> None:
        super()._check_state()
        dtype = np.float64 if self.references_.dtype == np.float64 else np.float32
        check_array("references", self.references_, dtype, (len(self.embedding_), self.n_features_in_))

    def _neighbours(self, rows: NDArray[Any]) -> list[Edges]:
        d, itemsize = rows.shape[1], 8 if rows.dtype == np.float64 else 4
        row_bytes = d * (8 + itemsize) + 28 * self.n_components + 24
        advice = ", or whiten them to fewer numbers first"
        self._check_memory(len(rows), row_bytes, f"vectors of {d:,} numbers", advice)
        self._begin("neighbours")
        threads = resolve_n_threads(self.n_threads)
        kept, self.nodes_ = distinct_rows(rows, threads)
        dtype = np.float64 if rows.dtype == np.float64 else np.float32
        self.references_ = np.require(rows if len(kept) == len(rows) else rows[kept], dtype, ["C"])
        n = len(kept)
        if n == 1:
            self.recall_ = 1.0
            return [Edges.of_one_node()]
        near = self._index().search(None, min(self.n_neighbors, n - 1))
        self.recall_ = near.recall
        return [Edges.of(near.indices, near.distances, self.n_neighbors)]

    def _index(self) -> NeighborIndex:
        """The vectors fitted, to be searched."""
        return NeighborIndex(
            self.references_, exact=self.exact, n_threads=self.n_threads, callback=self.callback
        )

    def _transform(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        near = self._index().search(rows, min(self._n_placing, len(self.references_)))
        out = np.empty((len(rows), self._n_features_out), np.float32)
        for start in range(0, len(rows), _SLAB):
            slab = slice(start, start + _SLAB)
            out[slab] = place_among(near.indices[slab], near.distances[slab], self.scales_, self.embedding_)
        known = np.flatnonzero(near.distances[:, 0] == 0)
        out[known] = self.embedding_[near.indices[known, 0]]
        return out
