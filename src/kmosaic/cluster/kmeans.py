"""K-means by Lloyd's algorithm, exact and reproducible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions

from kmosaic.cluster.dask.estimators import (
    block_engine,
    fits_here,
    held_labels,
    lazy_labels,
    seeding_engine,
)
from kmosaic.cluster.dask.rows import in_memory
from kmosaic.cluster.estimator import (
    MEMORY,
    AnyRowsEstimator,
    all_or_nothing,
    check_enough_rows,
    checked_weights,
    warn_of_empty_clusters,
)
from kmosaic.cluster.export import NearestCentroidExport
from kmosaic.cluster.seeding import Init, starting_centers
from kmosaic.cluster.sources import OpenRows, stand_in
from kmosaic.engines import (
    BlockEngine,
    Engine,
    IterationProgress,
    LloydOptions,
    LloydResult,
    MemoryEngine,
    Rows,
    lloyd,
    make_engine,
    resolve_n_threads,
)
from kmosaic.engines.empty import EmptyClusters
from kmosaic.engines.source_engine import SourceEngine


class KMeans(NearestCentroidExport, AnyRowsEstimator):
    """Cluster rows around the means that make their summed squared distances least: a local optimum of J.

    Every label is that of exact arithmetic for the fitted centroids (ties: the lowest number), and labels,
    centroids and inertia are the same to the bit for any number of threads and on any processor. Rows in
    C order are read in place where they are uint8, int8, uint16, int16, bool, float16, float32 or float64,
    or the bfloat16 of ml_dtypes; other dtypes are copied once, to float64.

    Parameters
    ----------
    n_clusters : int, default 8
        The number of clusters, and of centroids.
    init : "k-means++", "random", array (n_clusters, n_features), or callable, default "k-means++"
        Greedy k-means++; distinct rows at random; given centres; or what ``init(X, n_clusters,
        random_state)`` returns.
    n_init : "auto" or int, default "auto"
        Starts to try; the fit with the lowest J is kept. "auto" is 10 for "random" and callables, else 1.
    max_iter : int, default 300
        The most iterations of one start.
    tol : float, default 0
        0 goes on until no label changes. Otherwise a fit also ends once the centroids' summed squared shift
        is no more than ``tol`` times the mean variance of the features.
    random_state : int, RandomState or None
        The seed: the same one gives the same fit. None: another fit each time.
    n_threads : int or None
        None: all processors. Changes no result.
    empty_clusters : "relocate", "random", "drop" or "error", default "relocate"
        A cluster without rows is moved to the row that costs most; or to a random row; or dropped, so that
        the fit ends with fewer clusters; or is an error.
    memory : int, str or None, default None
        The most memory that a fit may use for rows it does not find in memory, in bytes or as "2GB"; None:
        half of what is free. It is for X that is a memory map, a .npy file, a folder or a list of them, or
        sliced (see ``fit``): rows are held where they fit, and else read block by block, in every pass; and
        for sparse rows, which are made dense where that fits and is faster (they are in memory
        themselves). An array in memory is there already. Changes no result.
    algorithm : "lloyd" or "elkan", default "lloyd"
        As scikit-learn's. The planner chooses bounds and filters whichever it is: the result is the same.
    copy_x : bool, default True
        As scikit-learn's. X is never changed, and copied only where its dtype or order needs it.
    verbose : int, default 0
        Above 0: print the inertia of every iteration and why a start ended, as scikit-learn does.
    callback : callable or None
        Called with an ``IterationProgress`` after every iteration.

    Attributes
    ----------
    cluster_centers_ : (n_clusters, n_features) float64
        The centroids, in units of X.
    labels_ : (n_samples,) int32
        The cluster of each row fitted; a Dask array where X was one.
    inertia_ : float
        J: the sum of weighted squared distances of the rows to their centroids, in squared units of X.
    n_iter_ : int
        Assignment steps of the start that was kept.
    converged_ : bool
        Whether it reached a fixed point (or ``tol``) within ``max_iter``.
    inertia_history_ : (n_steps,) float64
        J after every assignment step and every update step, in turn. It never rises.
    plan_ : FitPlan
        How the rows were assigned, and the numbers that decided it: ``print(model.plan_)``.
    n_features_in_ : int
        The number of features of X.
    feature_names_in_ : (n_features_in_,) str
        Their names, where X has string column names.

    Raises
    ------
    ValueError
        In ``fit``, for parameters out of range, NaN or infinity, weights that are negative or all zero, or
        fewer rows than clusters.

    Warns
    -----
    ConvergenceWarning
        Where X has fewer distinct rows than clusters, so that some stay without rows; it says how many are
        distinct.

    References
    ----------
    S. P. Lloyd (1982), "Least squares quantization in PCM". D. Arthur, S. Vassilvitskii (2007), "k-means++".

    Examples
    --------
    >>> import numpy as np
    >>> from kmosaic import KMeans
    >>> X = np.array([[0, 0], [0, 1], [9, 9], [9, 8]], dtype=np.uint8)
    >>> model = KMeans(n_clusters=2, random_state=0).fit(X)
    >>> model.inertia_
    1.0
    """

    _parameter_constraints: ClassVar = {
        **AnyRowsEstimator._parameter_constraints,
        "memory": MEMORY,
        "empty_clusters": [StrOptions(set(get_args(EmptyClusters)))],
        "algorithm": [StrOptions({"lloyd", "elkan"})],
        "copy_x": ["boolean"],
    }

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
        memory: int | str | None = None,
        empty_clusters: EmptyClusters = "relocate",
        algorithm: Literal["lloyd", "elkan"] = "lloyd",
        copy_x: bool = True,
        verbose: int = 0,
        callback: Callable[[IterationProgress], None] | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_threads = n_threads
        self.memory = memory
        self.empty_clusters = empty_clusters
        self.algorithm = algorithm
        self.copy_x = copy_x
        self.verbose = verbose
        self.callback = callback

    @all_or_nothing
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Cluster the rows of X.

        Parameters
        ----------
        X : (n_samples, n_features)
            Or a Dask array, (n_samples, ...): computed into memory where it fits into half of what is free,
            else gone through block by block; with an active ``distributed.Client``, by its workers.
            Or a SciPy sparse matrix or array; a path of a .npy file, of a folder of them, or a list of paths;
            or what has ``shape``, ``dtype`` and slices, as arrays of zarr and data sets of h5py have. The
            result is that of the same rows in one array, to the bit.
        y : ignored
        sample_weight : (n_samples,), optional
            How often each row counts: 0, or from 1e-100 to 1e100; not all zero.
        """
        self._validate_params()
        return self._fit_to(X)(sample_weight)

    def _fit_rows(self, rows: Rows, sample_weight: ArrayLike | None) -> Self:
        weights = checked_weights(sample_weight, rows)
        check_enough_rows(len(rows), self.n_clusters)
        n_threads = resolve_n_threads(self.n_threads)
        engine = make_engine(
            rows, weights, n_threads, steps_expected=self.max_iter + 1, may_merge=self._may_merge()
        )
        best = self._best_of(engine, engine, check_random_state(self.random_state))
        warn_of_empty_clusters(best.counts, engine, converged=best.converged and self.tol == 0)
        self.labels_ = engine.expand(best.labels)
        self.plan_ = engine.plan().logged()
        return self._take(best)

    def _fit_source(self, opened: OpenRows, sample_weight: ArrayLike | None) -> Self:
        weights = checked_weights(sample_weight, stand_in(opened.source))
        check_enough_rows(opened.source.n_rows, self.n_clusters)
        engine = opened.engine(weights)
        best = self._best_of(engine, engine, check_random_state(self.random_state))
        warn_of_empty_clusters(best.counts, engine)
        self.labels_ = best.labels
        self.plan_ = engine.plan().logged()
        return self._take(best)

    def _fit_dask(self, X: Any, sample_weight: ArrayLike | None) -> Self:
        if self.empty_clusters == "random":
            raise ValueError("empty_clusters='random' does not go with a Dask array; choose another way")
        rows = self._dask_rows(X, sample_weight, reset=True)
        check_enough_rows(rows.shape[0], self.n_clusters)
        if fits_here(rows):
            self.labels_ = held_labels(self.fit(in_memory(rows)).labels_, rows)
            return self
        random_state = check_random_state(self.random_state)
        engine = block_engine(rows, self.n_threads)
        starts = seeding_engine(engine, random_state)
        best = self._best_of(engine, starts, random_state)
        warn_of_empty_clusters(best.counts, starts)
        self.plan_ = engine.plan().logged()
        self.labels_ = lazy_labels(rows, best.centers)
        return self._take(best)

    def _take(self, best: LloydResult) -> Self:
        self.cluster_centers_ = best.centers
        self.inertia_ = best.inertia
        self.n_iter_ = best.n_iter
        self.converged_ = best.converged
        self.inertia_history_ = best.history
        return self

    def _may_merge(self) -> bool:
        """Whether equal rows may be fitted as one. What draws rows by their number must see them all."""
        return not callable(self.init) and self.empty_clusters != "random"

    def _best_of(
        self,
        engine: MemoryEngine | BlockEngine | SourceEngine,
        starts: MemoryEngine | SourceEngine,
        random_state: np.random.RandomState,
    ) -> LloydResult:
        """The best of n_init fits, each started from rows of ``starts``."""
        n_init = self._n_starts(10)
        tolerance = self.tol * engine.mean_variance() if self.tol > 0 else 0.0
        best: LloydResult | None = None
        for restart in range(n_init):
            options = self._options(engine, tolerance, random_state, self._reporter(restart, n_init))
            # Not held here: the centres lloyd starts from are gone once it has its own.
            result = lloyd(engine, self._starting(starts, random_state), options)
            if self.verbose:
                self._print_end(result)
            if best is None or result.rank < best.rank:
                best = result
        assert best is not None
        return best

    def _starting(
        self, starts: MemoryEngine | SourceEngine, random_state: np.random.RandomState
    ) -> NDArray[np.float64]:
        centers = starting_centers(starts, self.n_clusters, self.init, random_state)
        if self.verbose:
            print("Initialization complete")
        return centers

    def _options(
        self,
        engine: Engine,  # noqa: ARG002 (for subclasses)
        tolerance: float,
        random_state: np.random.RandomState,
        report: Callable[[int, float, int | None], None],
    ) -> LloydOptions:
        return LloydOptions(self.max_iter, tolerance, self.empty_clusters, random_state, report)

    def _reporter(self, restart: int, n_init: int) -> Callable[[int, float, int | None], None]:
        def report(iteration: int, inertia: float, n_changed: int | None) -> None:
            if self.verbose:
                print(f"Iteration {iteration - 1}, inertia {inertia}.")
            if self.callback is not None:
                self.callback(
                    IterationProgress(restart, n_init, iteration, self.max_iter, inertia, n_changed)
                )

        return report

    def _print_end(self, result: LloydResult) -> None:
        """Why a start ended. A step that changed no label leaves one more J than there are pairs of them."""
        last = result.n_iter - 1
        if result.converged and len(result.history) == 2 * result.n_iter - 1:
            print(f"Converged at iteration {last}: strict convergence.")
        elif result.converged:
            print(f"Converged at iteration {last}: center shift within tolerance {self.tol}.")
