"""Spherical k-means: rows as directions, compared by the cosine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from kmosaic.cluster.estimator import as_of
from kmosaic.cluster.in_memory import InMemoryEstimator
from kmosaic.cluster.kmeans import KMeans
from kmosaic.cluster.seeding import Init
from kmosaic.engines import (
    Engine,
    IterationProgress,
    LloydOptions,
    LloydResult,
    MemoryEngine,
    make_engine,
    resolve_n_threads,
)
from kmosaic.engines.empty import EmptyClusters
from kmosaic.engines.source_engine import SourceEngine
from kmosaic.engines.unit_length import rounding_cost, unit_centers, unit_rows
from kmosaic.errors import DataError
from kmosaic.tensors import readable

# J is half of what an engine adds up: of unit vectors |x - c|^2 = 2 (1 - cos). The docs' engine page has
# what that is where lengths are 1 up to rounding.
_HALF = 0.5


class SphericalKMeans(InMemoryEstimator, KMeans):
    """Cluster rows by their direction: around unit centroids that make the summed cosine distance least.

    The cosine distance of a row is 1 - cos of its angle to its centroid; a row's length does not matter.
    Rows are scaled to unit length once: float64 rows, and what is copied to float64, in float64; all others
    into a float32 copy, in the same bits for the same values. Rows that have unit length, up to rounding, are
    read in place. Then it is ``KMeans`` whose update step scales every mean to unit length, with all that it
    guarantees: exact labels (the nearest of the unit centroids), an objective that never rises, the same bits
    for any number of threads and on any processor.

    Parameters
    ----------
    n_clusters : int, default 8
        The number of clusters, and of centroids.
    init : "k-means++", "random", array (n_clusters, n_features), or callable, default "k-means++"
        As in ``KMeans``, of unit rows; what is given is scaled to unit length.
    n_init : "auto" or int, default "auto"
        Starts to try; the fit with the lowest J is kept. "auto" is 10 for "random" and callables, else 1.
    max_iter : int, default 300
        The most iterations of one start.
    tol : float, default 0
        0 goes on until no label changes. Otherwise a fit also ends once the centroids' summed squared shift
        is no more than ``tol`` times the mean variance of the features of unit rows.
    random_state : int, RandomState or None
        The seed: the same one gives the same fit. None: another fit each time.
    n_threads : int or None
        None: all processors. Changes no result.
    empty_clusters : "relocate", "random", "drop" or "error", default "relocate"
        As in ``KMeans``. Rows that differ by rounding alone do not fill a cluster.
    callback : callable or None
        Called with an ``IterationProgress`` after every iteration.

    Attributes
    ----------
    cluster_centers_ : (n_clusters, n_features) float64
        The centroids, of unit length.
    labels_ : (n_samples,) int32
        The cluster of each row fitted.
    inertia_ : float
        J: the sum of the rows' weighted cosine distances to their centroids.
    n_iter_ : int
        Assignment steps of the start that was kept.
    converged_ : bool
        Whether it reached a fixed point (or ``tol``) within ``max_iter``.
    inertia_history_ : (n_steps,) float64
        J after every assignment step and every update step, in turn. It never rises.
    plan_ : FitPlan
        How the rows were assigned, and the numbers that decided it.

    Raises
    ------
    DataError
        Where a row is all zeros, which has no direction, or X is a Dask array.
    ValueError
        As ``KMeans``.

    References
    ----------
    I. S. Dhillon, D. S. Modha (2001), "Concept decompositions for large sparse text data using clustering",
    Machine Learning 42. K. Hornik, I. Feinerer, M. Kober, C. Buchta (2012), "Spherical k-means clustering",
    Journal of Statistical Software 50(10).

    Examples
    --------
    >>> import numpy as np
    >>> from kmosaic import SphericalKMeans
    >>> X = np.array([[1, 1], [90, 90], [0, 5], [0, 70]], dtype=np.uint8)
    >>> SphericalKMeans(n_clusters=2, random_state=0).fit(X).labels_.tolist()
    [0, 0, 1, 1]
    """

    _takes_sources = False
    _exports_distances = False
    spherical = True

    def __init__(  # noqa: PLR0913 (scikit-learn's contract: parameters are the constructor's arguments)
        self,
        n_clusters: int = 8,
        *,
        init: Init = "k-means++",
        n_init: int | Literal["auto"] = "auto",
        max_iter: int = 300,
        tol: float = 0.0,
        random_state: int | np.random.RandomState | None = None,
        n_threads: int | None = None,
        empty_clusters: EmptyClusters = "relocate",
        callback: Callable[[IterationProgress], None] | None = None,
    ) -> None:
        super().__init__(
            n_clusters,
            init=init,
            n_init=n_init,
            max_iter=max_iter,
            tol=tol,
            random_state=random_state,
            n_threads=n_threads,
            empty_clusters=empty_clusters,
            callback=callback,
        )

    def transform(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return the cosine distance, 1 - cos, of each row to each centroid: (n_samples, n_clusters).

        In float32 where X is float32, else in float64. It is from 0 to 2, and keeps its digits where
        it is tiny.
        """
        check_is_fitted(self)
        X = readable(X)
        rows = self._rows(X, reset=False)
        engine = make_engine(rows, None, resolve_n_threads(self.n_threads))
        return as_of(getattr(X, "dtype", None), _HALF * engine.squared_distances(self._centers()))

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Return minus the summed cosine distances of X to the fitted centroids: higher is better."""
        return _HALF * super().score(X, y, sample_weight)

    def _starting(
        self, starts: MemoryEngine | SourceEngine, random_state: np.random.RandomState
    ) -> NDArray[np.float64]:
        given = super()._starting(starts, random_state)
        lost = np.flatnonzero(~given.any(axis=1))
        if len(lost):
            raise DataError(f"init has zeros alone in row {lost[0]}, which has no direction; give another")
        return unit_centers(given, starts.n_threads)

    def _options(
        self,
        engine: Engine,
        tolerance: float,
        random_state: np.random.RandomState,
        report: Callable[[int, float, int | None], None],
    ) -> LloydOptions:
        assert isinstance(engine, MemoryEngine)
        return replace(
            super()._options(
                engine,
                tolerance,
                random_state,
                lambda step, twice, changed: report(step, _HALF * twice, changed),
            ),
            after_update=lambda centers: unit_centers(centers, engine.n_threads),
            negligible=rounding_cost(engine.rows.dtype),
        )

    def _take(self, best: LloydResult) -> Self:
        super()._take(best)
        # Centroids of rows that differ by rounding alone are rounded no less.
        self.inertia_history_ = _HALF * np.minimum.accumulate(best.history)
        self.inertia_ = float(self.inertia_history_[-1])
        return self

    def _centers(self) -> NDArray[np.float64]:
        """The centroids, which may have been set since the fit, at unit length."""
        return unit_centers(super()._centers())

    def _rows(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """X at unit length; no copy where it is so already."""
        return unit_rows(super()._rows(X, reset=reset), resolve_n_threads(self.n_threads))
