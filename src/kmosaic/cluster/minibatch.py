"""K-means on mini-batches: close to the full answer after a few passes' worth of rows, or on a stream."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from kmosaic.cluster.dask.batches import Batches, DaskBatches, HeldBatches
from kmosaic.cluster.dask.estimators import (
    batch_in_memory,
    block_engine,
    fits_here,
    held_labels,
    held_rows,
    lazy_labels,
    seeding_engine,
)
from kmosaic.cluster.dask.rows import is_dask_array
from kmosaic.cluster.estimator import (
    AT_LEAST_0,
    AT_LEAST_1,
    MEMORY,
    AnyRowsEstimator,
    all_or_nothing,
    check_enough_rows,
    checked_weights,
    cluster_sizes,
    warn_of_empty_clusters,
)
from kmosaic.cluster.export import NearestCentroidExport
from kmosaic.cluster.seeding import Init, starting_centers
from kmosaic.cluster.sources import OpenRows, SourceBatches, stand_in
from kmosaic.engines import (
    BlockEngine,
    IterationProgress,
    MemoryEngine,
    Rows,
    make_engine,
    resolve_n_threads,
)
from kmosaic.engines.source_engine import SourceEngine

# Step t weighs as t^4 in a centroid's mean, so the last fifth of the steps makes two thirds of it. Of the
# powers 0, 1/2, 1, 2 and 4 this one left the least inertia on MNIST, digits, blobs and a photo: see
# docs/developer/decisions/0013-mini-batch-weights.md.
_RECENCY = 4.0


@dataclass
class _Stream:
    """What the steps so far have come to."""

    centers: NDArray[np.float64]
    counts: NDArray[np.float64]
    """The weight behind each centroid, older steps counting less."""
    exponent: int
    """The power of two in whose units the last step's inertia is."""
    inertia: float = 0.0
    smoothed: float = 0.0
    """The inertia of the steps so far, older ones counting less."""
    n_steps: int = 0
    history: list[float] = field(default_factory=list)


class MiniBatchKMeans(NearestCentroidExport, AnyRowsEstimator):
    """Cluster rows by k-means on small batches, each step moving centroids towards the means of its batch.

    Batches are drawn without replacement, pass after pass, and recent steps weigh more than old ones. Every
    batch's labels are exact. A fit whose batch holds all rows is Lloyd's algorithm with averaged centroids.

    Parameters
    ----------
    n_clusters : int, default 8
        The number of clusters, and of centroids.
    init : "k-means++", "random", array (n_clusters, n_features), or callable, default "k-means++"
        Drawn from ``init_size`` rows.
    n_init : "auto" or int, default "auto"
        Starts to try on the first rows; the one with the lowest inertia there is used. "auto" is 1 for
        "k-means++" and arrays, else 3.
    max_iter : int, default 100
        The most passes over the data.
    batch_size : int, default 1024
        Rows a step.
    init_size : int or None
        Rows to start from. None: 3 ``batch_size``, or 3 ``n_clusters`` where that is more.
    max_no_improvement : int or None, default 10
        Stop after so many steps without a fall of the smoothed inertia; None never stops for this.
    tol : float, default 0
        Stop once the centroids' summed squared shift in a step is no more than ``tol`` times the mean
        variance of the batch; 0 never does.
    reassignment_ratio : float, default 0.01
        Clusters with less than this share of the mean weight of a cluster move to rows of the batch drawn in
        proportion to their cost.
    random_state : int, RandomState or None
        The seed: the same one gives the same fit. None: another fit each time.
    n_threads : int or None
        None: all processors. Changes no result.
    memory : int, str or None, default None
        The most memory that a fit may use for rows it does not find in memory, in bytes or as "2GB"; None:
        half of what is free. It is for X that is a memory map, a .npy file, a folder or a list of them, or
        sliced (see ``fit``): rows are held where they fit, and else read block by block, in every pass; and
        for sparse rows, which are made dense where that fits and is faster (they are in memory
        themselves). An array in memory is there already. Changes no result.
    compute_labels : bool, default True
        False saves the last pass over all rows: there is no ``labels_``, and ``inertia_`` is an estimate from
        the batches.
    verbose : int, default 0
        Above 0: print the inertia of every start and step, and why the fit ended, as scikit-learn does.
    callback : callable or None
        Called with an ``IterationProgress`` after every pass of ``fit``.

    Attributes
    ----------
    cluster_centers_ : (n_clusters, n_features) float64
        The centroids, in units of X.
    labels_ : (n_samples,) int32
        Of the rows given to ``fit``, a Dask array where these were, or of the last batch given to
        ``partial_fit``.
    inertia_ : float
        J of those rows at the final centroids, in squared units of X; without ``compute_labels`` the
        smoothed inertia of the batches times the rows' weight.
    n_iter_ : int
        Passes over the data, the last perhaps cut short.
    n_steps_ : int
        Batches processed.
    converged_ : bool
        Whether ``tol`` or ``max_no_improvement`` ended the fit.
    inertia_history_ : (n_steps_,) float64
        The mean squared distance of each batch's rows to the centroids as that step found them: an estimate,
        so it may rise.
    plan_ : FitPlan
        How all rows were assigned in the end, and the numbers that decided it. Batches are planned alike.

    References
    ----------
    D. Sculley (2010), "Web-scale k-means clustering", WWW. The weights are those of polynomial-decay
    averaging: O. Shamir and T. Zhang (2013), "Stochastic gradient descent for non-smooth optimization", ICML,
    section 4.

    Examples
    --------
    >>> import numpy as np
    >>> from kmosaic import MiniBatchKMeans
    >>> X = np.array([[0, 0], [0, 1], [9, 9], [9, 8]], dtype=np.uint8)
    >>> MiniBatchKMeans(n_clusters=2, random_state=0).fit(X).inertia_
    1.0
    """

    _parameter_constraints: ClassVar = {
        **AnyRowsEstimator._parameter_constraints,
        "memory": MEMORY,
        "batch_size": [AT_LEAST_1],
        "init_size": [AT_LEAST_1, None],
        "max_no_improvement": [AT_LEAST_1, None],
        "reassignment_ratio": [AT_LEAST_0],
        "compute_labels": ["boolean"],
    }

    def __init__(  # noqa: PLR0913 (scikit-learn's contract: parameters are the constructor's arguments)
        self,
        n_clusters: int = 8,
        *,
        init: Init = "k-means++",
        n_init: int | Literal["auto"] = "auto",
        max_iter: int = 100,
        batch_size: int = 1024,
        init_size: int | None = None,
        max_no_improvement: int | None = 10,
        tol: float = 0.0,
        reassignment_ratio: float = 0.01,
        compute_labels: bool = True,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
        n_threads: int | None = None,
        memory: int | str | None = None,
        callback: Callable[[IterationProgress], None] | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.init_size = init_size
        self.max_no_improvement = max_no_improvement
        self.tol = tol
        self.reassignment_ratio = reassignment_ratio
        self.compute_labels = compute_labels
        self.verbose = verbose
        self.random_state = random_state
        self.n_threads = n_threads
        self.memory = memory
        self.callback = callback

    @all_or_nothing
    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Cluster the rows of X from scratch.

        Parameters
        ----------
        X : (n_samples, n_features)
            Or a Dask array, (n_samples, ...): each batch then has rows of one or two of its chunks, which are
            computed one at a time.
            Or a SciPy sparse matrix or array; a path of a .npy file, of a folder of them, or a list of paths;
            or what has ``shape``, ``dtype`` and slices, as arrays of zarr and data sets of h5py have. The
            result is that of the same rows in one array, to the bit.
            Each batch is then read by the numbers of its rows, which are drawn from all.
        y : ignored
        sample_weight : (n_samples,), optional
        """
        self._check_parameters()
        return self._fit_to(X)(sample_weight)

    def _fit_rows(self, rows: Rows, sample_weight: ArrayLike | None) -> Self:
        weights = checked_weights(sample_weight, rows)
        check_enough_rows(len(rows), self.n_clusters)
        n_threads = resolve_n_threads(self.n_threads)
        self._run(HeldBatches(*_rows_with_weight(rows, weights), n_threads))
        if not self.compute_labels:
            return self._finish_without_labels(_total(rows, weights))
        return self._finish_with_labels(make_engine(rows, weights, n_threads))

    def _fit_source(self, opened: OpenRows, sample_weight: ArrayLike | None) -> Self:
        weights = checked_weights(sample_weight, stand_in(opened.source))
        check_enough_rows(opened.source.n_rows, self.n_clusters)
        self._run(SourceBatches(opened, weights))
        if not self.compute_labels:
            return self._finish_without_labels(_total(stand_in(opened.source), weights))
        return self._finish_with_labels(opened.engine(weights))

    def _finish_with_labels(self, engine: MemoryEngine | SourceEngine) -> Self:
        self._finish(engine)
        self.labels_ = engine.give_labels()
        warn_of_empty_clusters(cluster_sizes(self.labels_, self.n_clusters), engine)
        return self

    def _finish_without_labels(self, weight: float) -> Self:
        """Leave out the pass over all rows, whose weight this is, and what an earlier fit learned in it."""
        self._take_centers()
        self.inertia_ = _unscaled(self._stream.smoothed, self._stream.exponent) * weight
        for name in ("labels_", "plan_"):
            self.__dict__.pop(name, None)
        return self

    def _fit_dask(self, X: Any, sample_weight: ArrayLike | None) -> Self:
        rows = self._dask_rows(X, sample_weight, reset=True)
        check_enough_rows(rows.shape[0], self.n_clusters)
        fits = fits_here(rows)
        rows = held_rows(rows) if fits else rows
        engine = block_engine(rows, self.n_threads)
        self._run(DaskBatches(rows, engine, resolve_n_threads(self.n_threads)))
        if not self.compute_labels:
            return self._finish_without_labels(float(rows.shape[0]))
        sizes = self._finish(engine)
        labels = lazy_labels(rows, self.cluster_centers_)
        self.labels_ = held_labels(labels.compute(), rows) if fits else labels
        if not sizes.all():
            warn_of_empty_clusters(sizes, seeding_engine(engine, np.random.RandomState(0)))
        return self

    @all_or_nothing
    def partial_fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Make one step with the rows of X as its batch, from where ``fit`` or ``partial_fit`` ended.

        The first call starts the centroids from these rows.

        Parameters
        ----------
        X : (n_samples, n_features)
            At least ``n_clusters`` rows in the first call.
        y : ignored
        sample_weight : (n_samples,), optional
        """
        self._check_parameters()
        first = not hasattr(self, "_stream")
        if is_dask_array(X):
            X = batch_in_memory(self._dask_rows(X, sample_weight, reset=first))
        opened = self._open(X, reset=first, n_out=None)
        rows = self._rows(X, reset=first) if opened is None else opened.batch()
        weights = checked_weights(sample_weight, rows)
        n_threads = resolve_n_threads(self.n_threads)
        if first:
            check_enough_rows(len(rows), self.n_clusters)
            self._random_state = check_random_state(self.random_state)
            batch = HeldBatches(*_rows_with_weight(rows, weights), n_threads)
            self._stream = self._start(batch, self._random_state)
        else:  # the old one stays whole should this step not come to its end
            self._stream = copy.deepcopy(self._stream)
        engine = make_engine(rows, weights, n_threads)
        self._step(self._stream, engine, self._random_state)
        self.n_iter_ = self._stream.n_steps
        self.converged_ = False
        if not self.compute_labels:
            return self._finish_without_labels(_total(rows, weights))
        self._finish(engine)
        self.labels_ = engine.give_labels()
        return self

    def _start(self, batches: Batches, random_state: np.random.RandomState) -> _Stream:
        """The best of n_init starts, on the first rows of a random order."""
        size = self.init_size or 3 * max(self.batch_size, self.n_clusters)
        engine = batches.first(size, random_state)
        best: tuple[float, NDArray[np.float64]] | None = None
        n_starts = self._n_starts(3)
        for start in range(n_starts):
            centers = starting_centers(engine, self.n_clusters, self.init, random_state)
            inertia = engine.inertia(engine.assign(centers).sums, centers, batches.exponent)
            self._print(f"Inertia for init {start + 1}/{n_starts}: {_unscaled(inertia, batches.exponent)}")
            if best is None or inertia < best[0]:
                best = inertia, centers
        assert best is not None
        return _Stream(best[1], np.zeros(self.n_clusters), batches.exponent)

    def _run(self, batches: Batches) -> None:
        """Start, and step until the passes are used up or the inertia stops falling."""
        self._random_state = check_random_state(self.random_state)
        self._stream = self._start(batches, self._random_state)
        self.n_iter_, self.converged_ = self._steps(self._stream, batches, self._random_state)

    def _steps(
        self, stream: _Stream, batches: Batches, random_state: np.random.RandomState
    ) -> tuple[int, bool]:
        """All steps; return how many passes they are, and whether the inertia stopped falling."""
        patience = _Patience(self.max_no_improvement, min(1.0, 2 * self.batch_size / (batches.n_rows + 1)))
        for n_passes in range(1, self.max_iter + 1):
            for engine in batches.once(self.batch_size, random_state):
                shift = self._step(stream, engine, random_state)
                tolerance = self.tol * engine.mean_variance() if self.tol > 0 else 0.0
                exhausted = patience.is_exhausted(stream.inertia)
                stream.smoothed = stream.inertia if patience.smoothed is None else patience.smoothed
                self._print_step(stream, batches.n_rows)
                if exhausted or (self.tol > 0 and shift <= tolerance):
                    reason = "lack of improvement in inertia" if exhausted else "small centers change"
                    self._print(f"Converged ({reason}) at step {stream.n_steps}")
                    return n_passes, True
            if self.callback is not None:
                inertia = float(np.mean(stream.history)) * batches.n_rows
                self.callback(IterationProgress(0, 1, n_passes, self.max_iter, inertia, batches.n_rows))
        return self.max_iter, False

    def _print_step(self, stream: _Stream, n_rows: int) -> None:
        n_steps = self.max_iter * -(-n_rows // self.batch_size)
        smoothed = _unscaled(stream.smoothed, stream.exponent)
        self._print(
            f"Minibatch step {stream.n_steps}/{n_steps}: mean batch inertia: {stream.history[-1]}, "
            f"ewa inertia: {smoothed}"
        )

    def _print(self, line: str) -> None:
        if self.verbose:
            print(line)

    def _step(self, stream: _Stream, engine: MemoryEngine, random_state: np.random.RandomState) -> float:
        """Assign one batch, move the centroids towards its means, and return their summed squared shift."""
        sums = engine.assign(stream.centers).sums
        counts = sums.counts
        stream.inertia = engine.inertia(sums, stream.centers, stream.exponent) / float(counts.sum())
        stream.smoothed = stream.inertia
        stream.history.append(_unscaled(stream.inertia, stream.exponent))
        stream.counts *= stream.n_steps / (stream.n_steps + _RECENCY)
        stream.counts += counts
        stream.n_steps += 1
        rate = np.divide(counts, stream.counts, out=np.zeros_like(counts), where=counts > 0)
        moved = stream.centers + rate[:, None] * (engine.means(sums, stream.centers) - stream.centers)
        self._reassign(stream, moved, engine, random_state)
        shift = engine.squared_shift(stream.centers, moved)
        stream.centers = moved
        return shift

    def _reassign(
        self,
        stream: _Stream,
        centers: NDArray[np.float64],
        engine: MemoryEngine,
        random_state: np.random.RandomState,
    ) -> None:
        """Move starved clusters, in place, to rows drawn in proportion to what they cost."""
        fed = stream.counts >= self.reassignment_ratio * stream.counts.mean()
        starved = np.flatnonzero(~fed)
        if not len(starved) or not fed.any():
            return
        costs = engine.weighted_costs(stream.centers)
        starved = starved[: np.count_nonzero(costs)]
        if len(starved):
            order = engine.hash_order()
            drawn = random_state.choice(len(costs), len(starved), replace=False, p=costs[order] / costs.sum())
            centers[starved] = engine.rows[order[drawn]]
            stream.counts[starved] = stream.counts[fed].min()

    def _finish(self, engine: MemoryEngine | BlockEngine | SourceEngine) -> NDArray[Any]:
        """Assign all rows; return how much weight each cluster has."""
        self._take_centers()
        sums = engine.assign(self.cluster_centers_).sums
        self.inertia_ = engine.inertia(sums, self.cluster_centers_)
        self.plan_ = engine.plan().logged()
        return sums.counts

    def _take_centers(self) -> None:
        self.cluster_centers_ = self._stream.centers.copy()
        self.n_steps_ = self._stream.n_steps
        self.inertia_history_ = np.array(self._stream.history)

    def _check_parameters(self) -> None:
        self._validate_params()
        if self.init_size is not None and self.init_size < self.n_clusters:
            raise ValueError(f"init_size={self.init_size} must be >= n_clusters={self.n_clusters}")


@dataclass
class _Patience:
    """Counts the steps since the smoothed inertia last fell."""

    limit: int | None
    weight: float
    smoothed: float | None = None
    least: float = np.inf
    n_without: int = 0

    def is_exhausted(self, inertia: float) -> bool:
        """Add one more step's inertia; return whether to stop."""
        previous = inertia if self.smoothed is None else self.smoothed
        self.smoothed = previous + self.weight * (inertia - previous)
        self.n_without = 0 if self.smoothed < self.least else self.n_without + 1
        self.least = min(self.least, self.smoothed)
        return self.limit is not None and self.n_without >= self.limit


def _unscaled(inertia: float, exponent: int) -> float:
    """J of the rows, given that of the rows times two to a power."""
    return float(np.ldexp(inertia, -2 * exponent))


def _total(rows: NDArray[Any], weights: NDArray[np.float64] | None) -> float:
    """The weight of all rows."""
    return float(len(rows)) if weights is None else float(weights.sum())


def _rows_with_weight(
    rows: NDArray[Any], weights: NDArray[np.float64] | None
) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
    """Leave out rows without weight: a batch of nothing else would teach nothing."""
    if weights is None or weights.all():
        return rows, weights
    return np.ascontiguousarray(rows[weights > 0]), weights[weights > 0]
