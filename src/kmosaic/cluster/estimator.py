"""What every estimator with centroids can do once it is fitted."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from kmosaic.cluster.dask.estimators import inertia_of, lazy_distances, lazy_labels
from kmosaic.cluster.dask.rows import dask_rows, is_dask_array
from kmosaic.cluster.seeding import Init
from kmosaic.cluster.sources import OpenRows, source_of, stand_in
from kmosaic.engines import MemoryEngine, Rows, make_engine, nearest_centers, resolve_n_threads
from kmosaic.engines.source_engine import SourceEngine
from kmosaic.errors import DataError
from kmosaic.models.validation import LARGEST_VALUE, check_magnitude
from kmosaic.tensors import checked_rows

MIN_WEIGHT = 1 / LARGEST_VALUE
_LABELS_AT_A_TIME = 1 << 20  # NumPy counts a copy of them in 64 bits
_Fit = TypeVar("_Fit", bound=Callable[..., Any])


class _Number(Interval):  # type: ignore[misc]
    """An interval of numbers, of which True and False are none."""

    def is_satisfied_by(self, value: Any) -> bool:
        return not isinstance(value, bool) and bool(super().is_satisfied_by(value))


AT_LEAST_1 = _Number(Integral, 1, None, closed="left")
WHOLE_AT_LEAST_0 = _Number(Integral, 0, None, closed="left")
MEMORY = [AT_LEAST_1, str, None]
AT_LEAST_0 = _Number(Real, 0, np.inf, closed="left")


class CentroidEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Base of ``KMeans`` and ``MiniBatchKMeans``: assignment to fitted centroids."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_clusters": [AT_LEAST_1],
        "init": [StrOptions({"k-means++", "random"}), callable, "array-like"],
        "n_init": [StrOptions({"auto"}), AT_LEAST_1],
        "max_iter": [AT_LEAST_1],
        "tol": [AT_LEAST_0],
        "verbose": ["verbose"],
        "callback": [callable, None],
    }
    _takes_sources: ClassVar[bool] = False
    """Whether X may be sparse, in files, or read by slices."""
    spherical: ClassVar[bool] = False
    """Whether rows are compared by their direction, and J sums cosine distances."""
    n_clusters: int
    init: Init
    n_init: int | Literal["auto"]
    n_features_in_: int
    n_threads: int | None
    verbose: int = 0
    memory: int | str | None = None
    cluster_centers_: NDArray[np.float64]
    labels_: NDArray[np.int32]
    inertia_: float

    def predict(self, X: ArrayLike, sample_weight: ArrayLike | None = None) -> NDArray[np.int32]:
        """Return each row's nearest cluster, decided exactly; ties go to the lowest number.

        Parameters
        ----------
        X : (n_samples, n_features)
            Integers of 8 or 16 bits, bool and floats of 16 to 64 bits in C order are read in place; anything
            else is copied to float64. Or whatever else ``fit`` takes: sparse rows, and files and slices,
            which are read block by block.
        sample_weight : (n_samples,), optional
            Checked, and otherwise without effect: a row's nearest centroid does not depend on its weight.

        Returns
        -------
        labels : (n_samples,) int32
            Of a Dask array, a Dask array, computed when asked for.
        """
        check_is_fitted(self)
        if is_dask_array(X):
            lazy = self._dask_rows(X, sample_weight, reset=False)
            labels: NDArray[np.int32] = lazy_labels(lazy, self._centers())
            return labels
        opened = self._open(X, reset=False, n_out=4)
        if opened is not None:
            checked_weights(sample_weight, stand_in(opened.source))
            return opened.labels(self._centers())
        rows = self._rows(X, reset=False)
        checked_weights(sample_weight, rows)
        return nearest_centers(rows, self._centers(), self.n_threads)

    def fit_predict(
        self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> NDArray[np.int32]:
        """Fit, and return the labels of the rows fitted."""
        fitted = self.fit(X, y, sample_weight=sample_weight)
        labels: NDArray[np.int32] | None = getattr(fitted, "labels_", None)
        return fitted.predict(X, sample_weight) if labels is None else labels

    def transform(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return the distance (not squared) of each row to each centroid: (n_samples, n_clusters).

        Computed in float64; in float32 where X is float32, else in float64. Of a Dask array, a Dask array,
        computed when asked for.
        """
        check_is_fitted(self)
        if is_dask_array(X):
            lazy = self._dask_rows(X, None, reset=False)
            return as_of(lazy.dtype, lazy_distances(lazy, self._centers()))
        opened = self._open(X, reset=False, n_out=8 * len(self._centers()))
        if opened is not None:
            return as_of(opened.source.dtype, opened.distances(self._centers()))
        rows = self._rows(X, reset=False)
        engine = make_engine(rows, None, resolve_n_threads(self.n_threads))
        return as_of(rows.dtype, engine.distances(self._centers()))

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:  # noqa: ARG002
        """Return minus the inertia of X at the fitted centroids: higher is better."""
        check_is_fitted(self)
        centers = self._centers()
        if is_dask_array(X):
            rows = self._dask_rows(X, sample_weight, reset=False)
            return -inertia_of(rows, centers, self.n_threads)
        opened = self._open(X, reset=False, n_out=12)
        engine: MemoryEngine | SourceEngine
        if opened is not None:
            engine = opened.engine(checked_weights(sample_weight, stand_in(opened.source)))
        else:
            rows = self._rows(X, reset=False)
            weights = checked_weights(sample_weight, rows)
            engine = make_engine(rows, weights, resolve_n_threads(self.n_threads))
        return -engine.inertia(engine.assign(centers).sums, centers)

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit; see the subclasses."""
        raise NotImplementedError

    def _n_starts(self, several: int) -> int:
        """The value of ``n_init``; "auto" is ``several`` for random rows and callables, else 1."""
        if self.n_init != "auto":
            return int(self.n_init)
        return several if callable(self.init) or (isinstance(self.init, str) and self.init == "random") else 1

    @property
    def _n_features_out(self) -> int:
        return int(self.cluster_centers_.shape[0])

    def _centers(self) -> NDArray[np.float64]:
        """The centroids as the engine reads them: they may have been set since the fit."""
        centers = np.asarray(self.cluster_centers_)
        if centers.ndim != 2 or centers.shape[1] != self.n_features_in_ or not len(centers):
            raise DataError(
                f"cluster_centers_ has shape {centers.shape}; it must be (n_clusters, {self.n_features_in_})"
            )
        if centers.dtype.kind not in "biuf" or not float(np.abs(centers).max()) <= LARGEST_VALUE:
            raise DataError(
                f"cluster_centers_ has NaN, infinity, values above {LARGEST_VALUE:g} or no real numbers; "
                "set centroids within that, or fit again"
            )
        return np.require(centers, np.float64, ["C", "A"])

    def _rows(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        """X as the engine reads it; no copy where it is already so."""
        refuse_images(X)
        rows = checked_rows(X, functools.partial(validate_data, self, reset=reset))
        if rows.dtype == np.float64:
            check_magnitude("X", rows)
        return np.require(rows, requirements=["C", "A"])

    def _open(self, X: Any, *, reset: bool, n_out: int | None) -> OpenRows | None:
        """X as a source of rows that are not in memory as an array, or None where they are, or will be.

        ``n_out`` is as for ``OpenRows``.
        """
        source = source_of(X, self.memory) if self._takes_sources else None
        if source is None:
            return None
        validate_data(self, source, reset=reset, skip_check_array=True)
        n_clusters = self.n_clusters if reset else len(self._centers())
        return OpenRows(source, self.memory, n_clusters, resolve_n_threads(self.n_threads), n_out=n_out)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._takes_sources
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _dask_rows(self, X: Any, sample_weight: Any, *, reset: bool) -> Any:
        """A Dask array X as rows, also a Dask array, with its number of features checked."""
        if sample_weight is not None:
            raise DataError("sample_weight does not go with a Dask array; leave it out, or give X in memory")
        rows = dask_rows(X)
        validate_data(self, rows, reset=reset, skip_check_array=True)
        return rows


class AnyRowsEstimator(CentroidEstimator):
    """Base of ``KMeans`` and ``MiniBatchKMeans``, which fit rows wherever they are."""

    _takes_sources = True

    def _fit_to(self, X: Any) -> Callable[[ArrayLike | None], Self]:
        """The fit, but for its weights, of a Dask array, of rows that are read, or of rows in memory."""
        if is_dask_array(X):
            return functools.partial(self._fit_dask, X)
        opened = self._open(X, reset=True, n_out=None)
        if opened is None:
            return functools.partial(self._fit_rows, self._rows(X, reset=True))
        rows = opened.held(self.init)
        return (
            functools.partial(self._fit_source, opened)
            if rows is None
            else functools.partial(self._fit_rows, rows)
        )

    def _fit_rows(self, rows: Rows, sample_weight: ArrayLike | None) -> Self:
        """Cluster rows in memory."""
        raise NotImplementedError

    def _fit_source(self, opened: OpenRows, sample_weight: ArrayLike | None) -> Self:
        """Cluster rows that are sparse, or that are read block by block or batch by batch."""
        raise NotImplementedError

    def _fit_dask(self, X: Any, sample_weight: ArrayLike | None) -> Self:
        """Cluster the rows of a Dask array: in memory where they fit, and else chunk by chunk."""
        raise NotImplementedError


def as_of(dtype: Any, distances: Any) -> NDArray[np.floating[Any]]:
    """Distances in float32 where the rows are, as scikit-learn's transformers have it."""
    kept: NDArray[np.floating[Any]] = distances.astype(np.float32) if dtype == np.float32 else distances
    return kept


def refuse_images(X: Any) -> None:
    """Raise DataError for images, (n, height, width) or (n, height, width, channels), and say how to reshape
    them."""
    shape = tuple(getattr(X, "shape", ()))
    if len(shape) not in (3, 4):
        return
    message = (
        f"Found array with dim {len(shape)}: X has shape {shape}, and rows of features have two dimensions, "
        "(n_samples, n_features); to cluster images, give X.reshape(len(X), -1)"
    )
    if shape[-1] in (1, 2, 3, 4):
        message += f"; to cluster their pixels, X.reshape(-1, {shape[-1]})"
    raise DataError(message)


def all_or_nothing(fit: _Fit) -> _Fit:
    """Let a fit that fails, or that Ctrl-C ends, leave the estimator's attributes as they were."""

    @functools.wraps(fit)
    def guarded(estimator: CentroidEstimator, *args: Any, **kwargs: Any) -> Any:
        before = estimator.__dict__.copy()
        try:
            return fit(estimator, *args, **kwargs)
        except BaseException:
            estimator.__dict__.clear()
            estimator.__dict__.update(before)
            raise

    return cast(_Fit, guarded)


def checked_weights(sample_weight: ArrayLike | None, rows: NDArray[Any]) -> NDArray[np.float64] | None:
    """Return float64 weights, or None where every row counts once.

    Raises ValueError for negative, infinite or all-zero weights, or where there is not one a row.
    """
    if sample_weight is None:
        return None
    if np.iscomplexobj(np.asanyarray(sample_weight)):
        raise ValueError("Complex data not supported: sample_weight must have real numbers")
    weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    if not weights.any():
        raise ValueError("every sample_weight is 0; at least one row must have a weight above 0")
    check_magnitude("sample_weight", weights)
    smallest = float(weights.min(initial=np.inf, where=weights > 0))
    if smallest < MIN_WEIGHT:
        raise DataError(
            f"sample_weight has values down to {smallest:.3g}; a weight is 0 or from {MIN_WEIGHT:g} to "
            f"{LARGEST_VALUE:g}: set those that mean nothing to 0, or multiply all by the same number"
        )
    return None if (weights == 1).all() else np.require(weights, requirements=["C", "A"])


def cluster_sizes(labels: NDArray[np.int32], n_clusters: int) -> NDArray[np.int64]:
    """Return how many labels each cluster has."""
    sizes = np.zeros(n_clusters, dtype=np.int64)
    for start in range(0, len(labels), _LABELS_AT_A_TIME):
        sizes += np.bincount(labels[start : start + _LABELS_AT_A_TIME], minlength=n_clusters)
    return sizes


def warn_of_empty_clusters(
    sizes: NDArray[Any], engine: MemoryEngine | SourceEngine, *, converged: bool = False
) -> None:
    """Warn where not every cluster has rows, and say why: too few distinct rows, or too early a stop.

    A fit that converged with more distinct rows than clusters took some of them for the same but for
    rounding.
    """
    n_clusters, n_with_rows = len(sizes), int(np.count_nonzero(sizes))
    if n_with_rows == n_clusters:
        return
    n_distinct = len(engine.distinct_rows().starts)
    if n_distinct < n_clusters:
        message = (
            f"X has only {n_distinct} distinct rows for n_clusters={n_clusters}: {n_clusters - n_with_rows} "
            f"clusters have none; lower n_clusters to {n_distinct}, or choose empty_clusters='drop'"
        )
    elif converged:
        message = (
            f"only {n_with_rows} of n_clusters={n_clusters} clusters have rows, since the others differ by "
            f"rounding alone; lower n_clusters to {n_with_rows}, or choose empty_clusters='drop'"
        )
    else:
        message = (
            f"only {n_with_rows} of n_clusters={n_clusters} clusters have rows, since the fit was stopped; "
            "raise max_iter or lower tol"
        )
    warnings.warn(message, ConvergenceWarning, stacklevel=4)


def check_enough_rows(n_samples: int, n_clusters: int) -> None:
    if n_samples < n_clusters:
        raise ValueError(
            f"n_samples={n_samples} must be >= n_clusters={n_clusters}; lower n_clusters or add images"
        )
