"""The graph of nearest neighbours, and coordinates by how a random walk spreads over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import psutil
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import LinearOperator, eigsh
from threadpoolctl import threadpool_limits

from kmosaic.features.base import ImageTransformer, check_array, check_real, check_whole, with_signs

# Fewer nodes than this are solved whole, which is exact and takes less than a second.
_DENSE_NODES = 600
# Relative to the mean degree: what joins each node with all others. A component that stands apart is then
# still part of one graph, and its eigenvalue stays below that of large ones.
_BRIDGE = 1e-3
_TOLERANCE = 1e-5
_SEED = 20040
"""Of the start of the Lanczos iteration: the same vectors each time."""


@dataclass(frozen=True)
class Edges:
    """Each node's neighbours and their distances, (n, k); its scale, (n,); and what all edges count."""

    indices: NDArray[np.int32]
    distances: NDArray[np.float64]
    scales: NDArray[np.float64]
    share: float = 1.0

    @classmethod
    def of(
        cls, indices: NDArray[np.int32], distances: NDArray[np.float64], n_neighbors: int, share: float = 1.0
    ) -> Self:
        """Edges whose nodes' scales are their distances to a neighbour two thirds of the way along."""
        return cls(indices, distances, local_scales(distances, scale_neighbor(n_neighbors)), share)

    @classmethod
    def of_one_node(cls) -> Self:
        """The only node is its own neighbour."""
        return cls(np.zeros((1, 1), np.int32), np.zeros((1, 1)), np.ones(1))

    def matrix(self) -> csr_matrix:
        """The edges' weights from each node to its neighbours: (n, n), not symmetric."""
        n, k = self.indices.shape
        weights = self.share * affinities(self.distances, self.scales, self.scales[self.indices])
        # A neighbour is never quite cut off, and degrees never underflow.
        np.maximum(weights, 1e-12, out=weights)
        starts = np.arange(0, n * k + 1, k)
        return csr_matrix((weights.ravel(), self.indices.ravel(), starts), shape=(n, n))


@dataclass(frozen=True)
class Diffusion:
    """Where a random walk from each node gets to.

    ``coordinates`` is (n_nodes, n_components) float64, and ``eigenvalues`` (n_components,) those of the walk,
    largest first. Components that the graph is too small for are 0.
    """

    coordinates: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]


def local_scales(distances: NDArray[np.float64], scale_neighbor: int) -> NDArray[np.float64]:
    """Return each node's distance to its ``scale_neighbor``-th neighbour, and never nothing: (n,).

    Where that many neighbours lie on the node itself, a thousandth of the usual distance takes its place.
    """
    scales = distances[:, min(scale_neighbor, distances.shape[1]) - 1].copy()
    apart = scales[scales > 0]
    floor = 1e-3 * float(np.median(apart)) if len(apart) else 1.0
    return np.maximum(scales, floor)


def affinities(
    distances: NDArray[np.float64], own: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return exp(-d_ij^2 / (s_i s_j)): (n, n_neighbors), given scales s_i (n,) and s_j (n, n_neighbors).

    L. Zelnik-Manor, P. Perona (2004), "Self-tuning spectral clustering", section 2.1.
    """
    return np.exp(-(distances**2) / (own[:, None] * others))


def scale_neighbor(n_neighbors: int) -> int:
    """Whose distance is a node's scale: two thirds of the way along its neighbours.

    >>> scale_neighbor(7), scale_neighbor(1)
    (5, 1)
    """
    return (2 * n_neighbors + 1) // 3


def place_among(
    near: NDArray[np.int32],
    distances: NDArray[np.float64],
    scales: NDArray[np.float64],
    embedding: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return coordinates of new rows: the mean of those of their nearest nodes, weighted by affinity.

    ``near`` and ``distances`` are (n, k); ``scales`` (n_nodes,) and ``embedding`` (n_nodes, n_components) are
    the nodes'.
    """
    own = local_scales(distances, scale_neighbor(near.shape[1]))
    weights = affinities(distances, own, scales[near]) + 1e-12
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("ij,ijk->ik", weights, embedding[near], optimize=False))


def neighbour_graph(*kinds: Edges) -> csr_matrix:
    """Return the weights of edges wherever one of two nodes is a neighbour of the other: (n, n), symmetric.

    An edge weighs the mean of its two directions, so that mutual neighbours count twice as much as others; of
    several kinds of edges, the sum.
    """
    directed = kinds[0].matrix()
    for kind in kinds[1:]:
        directed = directed + kind.matrix()
    return ((directed + directed.T) * 0.5).tocsr()


def diffuse(graph: csr_matrix, n_components: int, time: float) -> Diffusion:
    """Return the diffusion map of the graph: eigenvectors of its random walk, times eigenvalue ** time.

    Squared distances between coordinates are how differently walks of ``time`` steps end that start at the
    two nodes. The constant eigenvector is left out. Each node is also joined to all others, by a thousandth
    of the mean degree in all: then the graph is connected whatever its components, and none is dropped.

    R. Coifman, S. Lafon (2006), "Diffusion maps", section 2; for what joins everything, Y. Zhang, K. Rohe
    (2018), "Understanding regularized spectral clustering via graph conductance".
    """
    n = graph.shape[0]
    n_found = min(n_components, n - 1)
    coordinates = np.zeros((n, n_components))
    eigenvalues = np.zeros(n_components)
    if n_found > 0:
        degrees = np.asarray(graph.sum(axis=1)).ravel()
        bridge = _BRIDGE * float(degrees.mean())
        roots = 1 / np.sqrt(degrees + bridge)
        with threadpool_limits(1, user_api="blas"):  # the same bits for any number of threads
            values, vectors = _leading(graph, roots, bridge, n_found + 1)
        values, vectors = np.maximum(values[1:], 0), vectors[:, 1:] * roots[:, None]
        vectors *= np.sqrt(float((degrees + bridge).sum()))
        eigenvalues[:n_found] = values
        coordinates[:, :n_found] = with_signs(vectors.T).T * values**time
    return Diffusion(coordinates, eigenvalues)


def _leading(
    graph: csr_matrix, roots: NDArray[np.float64], bridge: float, n_vectors: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest eigenvalues of D^-1/2 (W + bridge / n) D^-1/2, in descending order, and their vectors."""
    n = graph.shape[0]
    if n < max(_DENSE_NODES, 3 * n_vectors):
        dense = roots[:, None] * (graph.toarray() + bridge / n) * roots
        values, vectors = np.linalg.eigh(dense)
        return values[::-1][:n_vectors], vectors[:, ::-1][:, :n_vectors]

    def walk(x: NDArray[np.float64]) -> NDArray[np.float64]:
        spread = roots * x.ravel()
        return np.asarray(roots * (graph @ spread + bridge / n * spread.sum()))

    operator = LinearOperator((n, n), matvec=walk, dtype=np.float64)
    start = np.random.default_rng(_SEED).uniform(0.5, 1.5, n)
    values, vectors = eigsh(operator, k=n_vectors, which="LA", tol=_TOLERANCE, v0=start)
    order = np.argsort(-values, kind="stable")
    return values[order], vectors[:, order]


class DiffusionMap(ImageTransformer):
    """Base of transformers that place rows by a random walk on a graph of their nearest neighbours."""

    n_components: int
    n_neighbors: int
    time: float
    embedding_: NDArray[np.float32]
    eigenvalues_: NDArray[np.float64]
    nodes_: NDArray[np.int32]
    scales_: NDArray[np.float64]

    def fit_transform(self, X: ArrayLike, y: Any = None) -> NDArray[np.float32]:
        """Fit, and return the coordinates of the rows fitted: (n_samples, n_components) float32."""
        return self.fit(X, y).embedding_[self.nodes_]

    @property
    def _n_features_out(self) -> int:
        return int(self.embedding_.shape[1])

    @property
    def _n_placing(self) -> int:
        return max(1, self.n_neighbors // 2)

    def _check_parameters(self) -> None:
        check_whole("n_components", self.n_components, 1, 10_000)
        check_whole("n_neighbors", self.n_neighbors, 1, 1000)
        check_real("time", self.time, 0, 1000)

    def _check_state(self) -> None:
        n = len(self.embedding_)
        if n < 1:
            raise ValueError("embedding must have at least one row")
        check_array("scales", self.scales_, np.float64, (n,))
        check_array("embedding", self.embedding_, np.float32, (n, int(self.n_components)))
        check_array("eigenvalues", self.eigenvalues_, np.float64, (int(self.n_components),))
        if not (self.scales_ > 0).all():
            raise ValueError("scales must be above 0")

    def _fit(self, rows: NDArray[Any]) -> None:
        self._check_parameters()
        edges = self._neighbours(rows)
        self._begin("coordinates")
        self._report(0, len(rows))
        self.scales_ = edges[0].scales
        diffusion = diffuse(neighbour_graph(*edges), self.n_components, self.time)
        self.embedding_ = diffusion.coordinates.astype(np.float32)
        self.eigenvalues_ = diffusion.eigenvalues
        self._report(len(rows), len(rows))

    def _neighbours(self, rows: NDArray[Any]) -> list[Edges]:
        """Learn from the rows, and return the edges of the distinct ones: of each kind."""
        raise NotImplementedError

    def _check_memory(self, n: int, row_bytes: int, rows: str, advice: str) -> None:
        """Refuse n rows that need more memory than is available, at so many bytes each beside the graph's."""
        needed = n * (row_bytes + 96 * self.n_neighbors)
        available = int(psutil.virtual_memory().available)
        if needed > available:
            max_rows = int(n * (available / needed) * 0.9)
            raise ValueError(
                f"the neighbour graph of n_samples={n} {rows} needs about {needed / 1e9:.1f} GB of memory, "
                f"and {available / 1e9:.1f} GB are available; fit on a sample of at most {max_rows} and "
                f"transform the rest{advice}"
            )
