"""Images by how they hang together: a diffusion map of the graph of their nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from kmosaic.engines import (
    LARGEST_GRADIENT,
    MAX_WARP,
    DistortionOptions,
    distortions,
    distortions_both_ways,
    make_engine,
    resolve_n_threads,
)
from kmosaic.features.base import (
    ImageShape,
    Progress,
    check_array,
    check_flag,
    check_real,
    check_whole,
    resolved_shape,
)
from kmosaic.features.distortion import edge_levels
from kmosaic.features.gradients import OrientedGradients
from kmosaic.features.nearest import MAX_PAIRS, NeighborIndex
from kmosaic.features.neighbour_graph import DiffusionMap, Edges, place_among
from kmosaic.features.whiten import Whiten

# Two views of an image's gradients, finer in direction and finer in place, each as its principal components:
# which images might be neighbours.
_VIEWS = ((12, (7, 7)), (8, (9, 9)))
_VIEW_COMPONENTS = 80
_VIEW_SIZES = tuple(orientations * cells[0] * cells[1] for orientations, cells in _VIEWS)
# As many images tell the principal components as well as all.
_MAX_VIEW_ROWS = 20_000
# Images at a time: progress is told, and Ctrl-C heard, in between; 8192 x 588 float32 are 19 MB.
_SLAB = 8192
_N_COMPONENTS = 100


@dataclass(frozen=True)
class ImageNeighbors:
    """The distinct images of a collection, and the nearest others of each.

    ``nodes`` (n_samples,) says which of the distinct images each image is; ``indices`` (n_distinct,
    n_neighbors) are distinct images too, nearest first. ``distances``, of that shape, go from 0 to 1: the
    distortion distance as a part of what the image's own gradients are worth, so 0 where all of the image is
    found in the other, and 1 where nothing is. ``recall`` is the share of a sample's true neighbours that are
    among those found.
    """

    nodes: NDArray[np.int32]
    indices: NDArray[np.int32]
    distances: NDArray[np.float64]
    recall: float = 1.0


@dataclass(frozen=True)
class _Ranked:
    """Each image's candidates by their distortion (ties: as the views have them).

    Only the nearest asked for are in their places; the others are farther than they.
    """

    nearest: NDArray[np.int32]
    distances: NDArray[np.float64]

    @classmethod
    def by(cls, squares: NDArray[np.int64], candidates: NDArray[np.int32]) -> _Ranked:
        order = np.argsort(squares, axis=1, kind="stable")
        distances = np.sqrt(np.take_along_axis(squares, order, axis=1).astype(np.float64))
        return cls(np.take_along_axis(candidates, order, axis=1), distances)


class GraphEmbedding(DiffusionMap):
    """Place images by how a random walk spreads among their nearest neighbours: a diffusion map.

    k-means' distance means something among images that are nearly alike, and little beyond. So only nearest
    neighbours are compared, and images are far apart where no chain of neighbours joins them. Each image's
    ``n_candidates`` nearest in two views of its gradients are ranked again by the image distortion model, and
    the first ``n_neighbors`` become its edges, weighted by how near they are in their own surroundings. So
    do, at less weight, those that are nearest to being distortions of the image, not it of them. The leading
    eigenvectors of the random walk on that graph are the coordinates.

    No label is used, and no network. What is learned is kept with the training images' own coordinates: a new
    image goes to the weighted mean of its nearest training images; one of the training images, to its own
    place. So the clusters found here have members, but no centroid one could draw.

    Parameters
    ----------
    n_components : int, default 100
        Coordinates of an image. For k clusters k - 1 are of use where those are fewer: ``useful_components``.
    n_neighbors : int, default 7
        Edges of an image, either way. Half as many training images place a new one.
    n_candidates : int, default 50
        Nearest by gradients, of which the distortion model chooses.
    warp : int, default 2
        How far the distortion model lets a pixel move, in each direction.
    reverse_weight : float, default 0.3
        What an edge counts to an image that is found in this one, beside those to images that this one is
        found in. It joins images with a stroke more, such as sevens with a bar, to those without.
    time : float, default 8
        Steps of the random walk: how much the coarse outweighs the fine.
    exact : bool or None, default None
        Compare all pairs of images for candidates. None: up to 100,000 images. Beyond, they are looked for in
        near k-means cells of the views, which finds 98 of 100 of them: see ``NeighborIndex``.
    image_shape, n_threads, callback
        See ``ImageTransformer``. A fit counts anew for gradients, components, candidates, neighbours and
        coordinates, and tells a ``StageProgress`` which.

    Attributes
    ----------
    embedding_ : (n_nodes, n_components) float32
        The coordinates of the distinct training images. Where there are too few of them, the last are 0.
    eigenvalues_ : (n_components,) float64
        Of the random walk, largest first, without the first of all, 1.
    nodes_ : (n_samples,) int32
        Which of the distinct images each image fitted is.
    recall_ : float
        The share of a sample's true candidates that were found: 1 where all pairs were compared. A model file
        does not keep it.
    levels_, coordinates_, scales_, view_means_, view_axes_
        What places new images: gradients in steps, principal components of the views, distances to a near
        neighbour; means and axes of the views.

    Notes
    -----
    Images with the same gradients count once, so that duplicates draw nothing to them. Components of the
    graph that stand apart are kept. Strokes should be upright: put ``Deskew`` before it where images are
    writing.

    Up to 100,000 images time grows with the square of their number; memory with the number. More than the
    memory available is refused: then fit on a sample, and let ``transform`` place the others.

    Raises
    ------
    ValueError
        In ``fit``, for parameters out of range, NaN or infinity, or where memory does not suffice.

    References
    ----------
    L. Zelnik-Manor, P. Perona (2004), "Self-tuning spectral clustering". R. Coifman, S. Lafon (2006),
    "Diffusion maps". D. Keysers, T. Deselaers, C. Gollan, H. Ney (2007), "Deformation models for image
    recognition". Y. Bengio et al. (2003), "Out-of-sample extensions for LLE, Isomap, MDS, eigenmaps, and
    spectral clustering", section 3, for the place of new images.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> GraphEmbedding(n_components=10).fit_transform(X.astype(np.uint8)).shape
    (1797, 10)
    """

    _NOT_KEPT: ClassVar[tuple[str, ...]] = ("exact",)  # files are those of versions that compared all pairs
    _ARRAYS: ClassVar[tuple[str, ...]] = (
        "view_means",
        "view_axes",
        "levels",
        "coordinates",
        "scales",
        "embedding",
        "eigenvalues",
    )

    view_means_: NDArray[np.float64]
    view_axes_: NDArray[np.float64]
    levels_: NDArray[np.int8]
    coordinates_: NDArray[np.float32]
    scales_: NDArray[np.float64]
    recall_: float

    def __init__(  # noqa: PLR0913 (scikit-learn's contract: parameters are the constructor's arguments)
        self,
        n_components: int = _N_COMPONENTS,
        *,
        n_neighbors: int = 7,
        n_candidates: int = 50,
        warp: int = 2,
        reverse_weight: float = 0.3,
        time: float = 8.0,
        exact: bool | None = None,
        image_shape: ImageShape | None = None,
        n_threads: int | None = None,
        callback: Progress | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_threads=n_threads, callback=callback)
        self.n_components = n_components
        self.n_neighbors = n_neighbors
        self.n_candidates = n_candidates
        self.warp = warp
        self.reverse_weight = reverse_weight
        self.time = time
        self.exact = exact

    def neighbors(self, X: ArrayLike) -> ImageNeighbors:
        """Return the nearest others of each distinct image of X, (n_samples, n_features), by distortion.

        Nothing is fitted: what ``fit`` begins with, without the rest.
        """
        finder = type(self)(**{**self.get_params(deep=False), "reverse_weight": 0.0})
        finder._check_parameters()
        rows = finder._rows(X, reset=True)
        finder.image_shape_ = resolved_shape(self.image_shape, rows.shape[1])
        near = finder._neighbours(rows)[0]
        context = 9 * (finder.levels_.astype(np.float64) ** 2).sum(axis=(1, 2, 3))
        size = np.sqrt(context)[:, None]
        relative = np.divide(near.distances, size, out=np.ones_like(near.distances), where=size > 0)
        return ImageNeighbors(finder.nodes_, near.indices, np.minimum(relative, 1.0), finder.recall_)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_whole("n_candidates", self.n_candidates, self.n_neighbors, 10_000)
        check_whole("warp", self.warp, 0, MAX_WARP)
        check_real("reverse_weight", self.reverse_weight, 0, 1)
        if self.exact is not None:
            check_flag("exact", self.exact)

    def _check_state(self) -> None:
        super()._check_state()
        height, width, _ = self.image_shape_
        n, m = len(self.embedding_), _VIEW_COMPONENTS
        check_array("view_means", self.view_means_, np.float64, (sum(_VIEW_SIZES),))
        check_array("view_axes", self.view_axes_, np.float64, (m, sum(_VIEW_SIZES)))
        check_array("levels", self.levels_, np.int8, (n, 2, height, width))
        check_array("coordinates", self.coordinates_, np.float32, (n, m * len(_VIEWS)))
        if np.abs(self.levels_.astype(np.int16)).max() > LARGEST_GRADIENT:
            raise ValueError(f"levels must be from -{LARGEST_GRADIENT} to {LARGEST_GRADIENT}")

    def _neighbours(self, rows: NDArray[Any]) -> list[Edges]:
        """Learn the views, and find the edges of the distinct images: forth, and back where they count."""
        height, width, _ = self.image_shape_
        view_bytes = _VIEW_COMPONENTS * len(_VIEWS) * (4 + 8 + 4)
        lanczos_bytes = 8 * (2 * self.n_components + 3) + 12 * self.n_components
        # By cells with distances, and those of the search before.
        candidate_bytes = (8 if len(rows) ** 2 <= MAX_PAIRS else 40) * self.n_candidates
        row_bytes = 2 * height * width + view_bytes + candidate_bytes + lanczos_bytes + 200
        self._check_memory(len(rows), row_bytes, "images", "")
        self._begin("gradients")
        levels = edge_levels(rows, self.image_shape_, self.n_threads, self.callback)
        kept, self.nodes_ = distinct_rows(
            levels.reshape(len(levels), -1).view(np.uint8), resolve_n_threads(self.n_threads)
        )
        whole = len(kept) == len(rows)
        self.levels_ = levels if whole else levels[kept]
        distinct = rows if whole else rows[kept]
        self._begin("components")
        self._report(0, len(distinct))
        self._learn_views(distinct[:: -(-len(distinct) // _MAX_VIEW_ROWS)])
        self.coordinates_ = self._project(distinct, self._report)
        self._begin("candidates")
        return self._edges()

    def _learn_views(self, rows: NDArray[Any]) -> None:
        means, axes = [], []
        for view in self._views():
            features = view.fit(rows[:1]).transform(rows)
            whiten = Whiten(_VIEW_COMPONENTS, power=0.0, n_threads=self.n_threads).fit(features)
            means.append(whiten.mean_)
            axes.append(whiten.components_)
        self.view_means_ = np.concatenate(means)
        self.view_axes_ = np.concatenate(axes, axis=1)

    def _views(self) -> list[OrientedGradients]:
        return [
            OrientedGradients(
                n_orientations=n, cells=cells, image_shape=self.image_shape_, n_threads=self.n_threads
            )
            for n, cells in _VIEWS
        ]

    def _project(self, rows: NDArray[Any], progress: Progress | None = None) -> NDArray[np.float32]:
        """The views' principal components, one view after the other: (n, 160)."""
        views = [view.fit(rows[:1]) for view in self._views()]
        ends = np.cumsum((0, *_VIEW_SIZES))
        out = np.empty((len(rows), len(views) * _VIEW_COMPONENTS), np.float32)
        for start in range(0, len(rows), _SLAB):
            slab = slice(start, start + _SLAB)
            for v, view in enumerate(views):
                own = slice(ends[v], ends[v + 1])
                features = view.transform(rows[slab]) - self.view_means_[own]
                with threadpool_limits(1, user_api="blas"):  # the same bits for any number of threads
                    out[slab, v * _VIEW_COMPONENTS : (v + 1) * _VIEW_COMPONENTS] = (
                        features @ self.view_axes_[:, own].T
                    )
            if progress is not None:
                progress(min(start + _SLAB, len(rows)), len(rows))
        return out

    def _edges(self) -> list[Edges]:
        n = len(self.levels_)
        self.recall_ = 1.0
        if n == 1:
            return [Edges.of_one_node()]
        found = self._index().search(None, min(self.n_candidates, n - 1))
        candidates, self.recall_ = found.indices, found.recall
        self._begin("neighbours")
        k = min(self.n_neighbors, n - 1)
        shares = [1.0, self.reverse_weight] if self.reverse_weight > 0 else [1.0]
        near = [np.empty((n, k), np.int32) for _ in shares]
        distances = [np.empty((n, k)) for _ in shares]
        for start in range(0, n, _SLAB):
            slab = slice(start, start + _SLAB)
            for way, ranked in enumerate(self._ranked_slab(slab, candidates[slab], k, back=len(shares) > 1)):
                near[way][slab], distances[way][slab] = ranked.nearest[:, :k], ranked.distances[:, :k]
            self._report(min(start + _SLAB, n), n)
        kinds = zip(near, distances, shares, strict=True)
        return [Edges.of(nearest, far, self.n_neighbors, share) for nearest, far, share in kinds]

    def _ranked_slab(
        self, slab: slice, candidates: NDArray[np.int32], n_nearest: int, *, back: bool
    ) -> list[_Ranked]:
        """Candidates of some of the images fitted, by distortion forth and, with ``back``, by that back."""
        levels = self.levels_[slab]
        options, n_threads = DistortionOptions(self.warp, n_nearest), resolve_n_threads(self.n_threads)
        if not back:
            return [_Ranked.by(distortions(levels, self.levels_, candidates, options, n_threads), candidates)]
        distortion = distortions_both_ways(levels, self.levels_, candidates, options, n_threads)
        return [_Ranked.by(distortion.forth, candidates), _Ranked.by(distortion.back, candidates)]

    def _index(self) -> NeighborIndex:
        """The images fitted, to be searched by their views."""
        return NeighborIndex(
            self.coordinates_, exact=self.exact, n_threads=self.n_threads, callback=self._report
        )

    def _transform(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        n_candidates = min(self.n_candidates, len(self.coordinates_))
        candidates = self._index().search(self._project(rows), n_candidates).indices
        out = np.empty((len(rows), self._n_features_out), np.float32)
        for start in range(0, len(rows), _SLAB):
            slab = slice(start, start + _SLAB)
            part = rows[slab]
            levels = edge_levels(part, self.image_shape_, self.n_threads)
            few = self._n_placing
            options = DistortionOptions(self.warp, few)
            squares = distortions(
                levels, self.levels_, candidates[slab], options, resolve_n_threads(self.n_threads)
            )
            ranked = _Ranked.by(squares, candidates[slab])
            near = ranked.nearest[:, :few], ranked.distances[:, :few]
            placed = place_among(*near, self.scales_, self.embedding_)
            self._find_known(levels, ranked, placed)
            out[slab] = placed
            self._report(start + len(part), len(rows))
        return out

    def _find_known(self, levels: NDArray[np.int8], ranked: _Ranked, placed: NDArray[np.float64]) -> None:
        """Images that equal a training image get its coordinates."""
        for image, candidate in np.argwhere(ranked.distances == 0):
            node = ranked.nearest[image, candidate]
            if np.array_equal(levels[image], self.levels_[node]):
                placed[image] = self.embedding_[node]


def useful_components(n_clusters: int) -> int:
    """Return how many of a graph's coordinates tell so many clusters apart.

    In a graph of k groups that hardly anything joins, k - 1 eigenvectors beside the constant one say which
    group a node is in; what comes after them is about the insides of groups. Beyond the default of 100, more
    changed nothing.

    U. von Luxburg (2007), "A tutorial on spectral clustering", sections 5 and 8.3.

    >>> useful_components(10), useful_components(256)
    (9, 100)
    """
    return min(_N_COMPONENTS, max(1, n_clusters - 1))


def distinct_rows(rows: NDArray[Any], n_threads: int) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """The first of each set of equal rows, in ascending order; and which of those each row equals."""
    engine = make_engine(rows, None, n_threads)
    order, starts = engine.hash_order(), engine.distinct_rows().starts
    first = np.minimum.reduceat(order, starts)
    rank = np.empty(len(starts), np.int32)
    rank[np.argsort(first)] = np.arange(len(starts), dtype=np.int32)
    nodes = np.empty(len(rows), np.int32)
    nodes[order] = np.repeat(rank, np.diff(starts, append=len(order)))
    return np.sort(first), nodes
