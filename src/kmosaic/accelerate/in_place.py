"""``sklearn.cluster.KMeans.fit``: one engine for all starts; 8- and 16-bit rows where they lie."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.cluster._k_means_common import _is_same_clustering
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from sklearn.utils.validation import _check_sample_weight, _is_arraylike_not_scalar, validate_data

from kmosaic.accelerate.fitting import MergedRowsMovedError, Rules, SingleFit, single_fit
from kmosaic.accelerate.rows import MANY_STEPS, NotTakenError, shared_engines, wide
from kmosaic.accelerate.seeding import seed_rows
from kmosaic.cluster.estimator import checked_weights
from kmosaic.cluster.seeding import MAX_CANDIDATES
from kmosaic.engines import MemoryEngine, make_engine, resolve_n_threads

_IN_PLACE = [np.uint8, np.uint16]


def fit(
    original: Callable[..., Any],
    estimator: Any,
    X: Any,
    y: Any = None,
    sample_weight: ArrayLike | None = None,
) -> Any:
    """Cluster X as scikit-learn does; it would copy bytes to float64, and take their mean off."""
    if _fits_in_place(estimator, X):
        return _fit(estimator, X, y, sample_weight)
    with shared_engines():
        return original(estimator, X, y, sample_weight)


def _fits_in_place(estimator: Any, X: Any) -> bool:
    """Whether the rows are bytes, and nothing of the estimator's own is to see them as floats."""
    if not (isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.type in _IN_PLACE and X.dtype.isnative):
        return False
    own = type(estimator)._init_centroids.__module__ == "sklearn.cluster._kmeans"
    return own and not callable(estimator.init)


def _n_trials(n_clusters: int) -> int:
    """How many candidates scikit-learn draws for a seed."""
    return 2 + int(np.log(n_clusters))


@dataclass(frozen=True)
class _Rows:
    """Integer rows with what fits of them need."""

    X: NDArray[Any]
    sample_weight: NDArray[np.float64]
    n_threads: int
    engine: MemoryEngine
    """Of all rows: its labels are in the rows' order."""
    merged: MemoryEngine
    """Of the distinct rows, where there are few; else the same."""


@_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
def _fit(estimator: Any, X: NDArray[Any], y: Any, sample_weight: ArrayLike | None) -> Any:  # noqa: ARG001
    if _n_trials(estimator.n_clusters) > MAX_CANDIDATES:
        raise NotTakenError(f"n_clusters={estimator.n_clusters} takes more candidates than {MAX_CANDIDATES}")
    X = validate_data(estimator, X, dtype=_IN_PLACE, order="C")
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
    rows = _rows(X, weights)
    _check_parameters(estimator, rows)
    init = _given_centers(estimator, X)
    random_state = check_random_state(estimator.random_state)
    best: SingleFit | None = None
    for _ in range(estimator._n_init):
        found = _start(estimator, rows, init, random_state)
        if best is None or (
            found.inertia < best.inertia
            and not _is_same_clustering(found.labels, best.labels, estimator.n_clusters)
        ):
            best = found
    assert best is not None
    return _take(estimator, best)


def _rows(X: NDArray[Any], sample_weight: NDArray[np.float64]) -> _Rows:
    try:
        weights = checked_weights(sample_weight, X)
    except ValueError as error:
        raise NotTakenError(str(error)) from error
    n_threads = resolve_n_threads(_openmp_effective_n_threads())
    X = np.require(X, requirements=["C", "A"])
    engine = make_engine(X, weights, n_threads, steps_expected=MANY_STEPS)
    merged = make_engine(X, weights, n_threads, steps_expected=MANY_STEPS, may_merge=True)
    return _Rows(X, sample_weight, n_threads, engine, engine if merged.merged is None else merged)


def _check_parameters(estimator: Any, rows: _Rows) -> None:
    """What scikit-learn checks, sets and warns of, but for the variance, which would take floats."""
    tol, estimator.tol = estimator.tol, 0
    try:
        estimator._check_params_vs_input(rows.X)
    finally:
        estimator.tol = tol
    estimator._tol = tol * _mean_variance(rows) if tol else 0
    estimator._n_threads = rows.n_threads


def _mean_variance(rows: _Rows) -> float:
    """Of the rows without their weights, which scikit-learn leaves out here."""
    unweighted = rows.merged if rows.engine.weights is None else make_engine(rows.X, None, rows.n_threads)
    return unweighted.mean_variance()


def _given_centers(estimator: Any, X: NDArray[Any]) -> NDArray[np.float64] | None:
    if not _is_arraylike_not_scalar(estimator.init):
        return None
    init = check_array(estimator.init, dtype=np.float64, copy=True, order="C")
    estimator._validate_center_shape(X, init)
    return wide(init)


def _start(
    estimator: Any, rows: _Rows, init: NDArray[np.float64] | None, random_state: np.random.RandomState
) -> SingleFit:
    centers = _seeds(estimator, rows, random_state) if init is None else init
    if estimator.verbose:
        print("Initialization complete")
    stop = "" if estimator._algorithm == "elkan" else "."
    rules = Rules(estimator.max_iter, estimator._tol, np.dtype(np.float64), bool(estimator.verbose), stop)
    try:
        found = single_fit(rows.merged, centers.copy(), rules)
    except MergedRowsMovedError:
        return single_fit(rows.engine, centers.copy(), rules)
    return SingleFit(rows.merged.expand(found.labels), found.inertia, found.centers, found.n_iter)


def _seeds(estimator: Any, rows: _Rows, random_state: np.random.RandomState) -> NDArray[np.float64]:
    k, weights = estimator.n_clusters, rows.sample_weight
    if estimator.init == "k-means++":
        chosen = seed_rows(rows.engine, weights, k, _n_trials(k), random_state)
    else:
        chosen = random_state.choice(len(weights), size=k, replace=False, p=weights / weights.sum())
    return rows.X[chosen].astype(np.float64)


def _take(estimator: Any, best: SingleFit) -> Any:
    n_distinct = len(np.unique(best.labels))
    if n_distinct < estimator.n_clusters:
        warnings.warn(
            f"Number of distinct clusters ({n_distinct}) found smaller than n_clusters "
            f"({estimator.n_clusters}). Possibly due to duplicate points in X.",
            ConvergenceWarning,
            stacklevel=7,
        )
    estimator.cluster_centers_ = best.centers
    estimator._n_features_out = len(best.centers)
    estimator.labels_ = best.labels
    estimator.inertia_ = best.inertia
    estimator.n_iter_ = best.n_iter
    return estimator
