"""Sweeping over the number of clusters: one timed fit for each k and seed, and its scores."""

from __future__ import annotations

import math
import operator
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score, homogeneity_completeness_v_measure
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from kmosaic import cluster, engines
from kmosaic.evaluate.naming import count_votes
from kmosaic.evaluate.peak_memory import PeakMemory
from kmosaic.evaluate.runs import SweepResult, SweepRun
from kmosaic.evaluate.unlabelled import LabelSample, stabilities
from kmosaic.tensors import native_rows

N_CLUSTERS = (10, 16, 36, 64, 144, 256, 400)
"""The starting document's numbers of clusters."""

_ALGORITHMS = ("kmeans", "minibatch")


@dataclass(frozen=True)
class SweepOptions:
    """How a sweep fits, and whom it tells.

    Parameters
    ----------
    max_value : float or None
        The value of full brightness, by which ``inertia_scaled`` is scaled; None means the largest value of
        an integer dtype, and 1.0 for floats.
    algorithm : str or estimator
        "kmeans", "minibatch", or an unfitted clusterer of one's own with ``n_clusters`` and ``random_state``,
        which is cloned for every run; the three options below are then left to it.
    n_threads, max_iter, tol
        As in :class:`kmosaic.KMeans`; None for ``max_iter`` means the algorithm's own default.
    n_leading : callable(n_clusters) -> int or None
        How many of the features, the first, are clustered into that many clusters; None: all.
    keep_models : bool
        Keep the fitted estimator of least inertia for each number of clusters.
    on_start : callable(n_clusters, seed)
        Called before every fit.
    on_iteration : callable(progress)
        Handed to the estimator as its ``callback``: called after every iteration of every fit.
    on_run : callable(run)
        Called with every finished run; its ``stability`` is not known before all seeds are, and still None.
    """

    max_value: float | None = None
    algorithm: Any = "kmeans"
    n_threads: int | None = None
    max_iter: int | None = None
    tol: float = 0.0
    n_leading: Callable[[int], int | None] | None = None
    keep_models: bool = False
    on_start: Callable[[int, int], None] | None = None
    on_iteration: Callable[[engines.IterationProgress], None] | None = None
    on_run: Callable[[SweepRun], None] | None = None


def sweep(
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    n_clusters: Sequence[int] = N_CLUSTERS,
    seeds: Sequence[int] = (0,),
    test: tuple[ArrayLike, ArrayLike] | None = None,
    options: SweepOptions | None = None,
) -> SweepResult:
    """Cluster ``X`` with every number of clusters and every seed, and score each clustering.

    ``X`` is (n_samples, n_features), used in place where it is in C order and of a dtype that ``KMeans``
    names. With labels ``y`` (n_samples,), of any kind, clusters are named by majority vote and scored
    against them; ``test`` is a pair ``(X_test, y_test)`` to be named as well. Without labels, the silhouette
    and the stability over seeds are measured on a sample of at most 2,000 rows. Ctrl-C stops at once, with
    KeyboardInterrupt.

    Raises
    ------
    ValueError
        Before any fit, when ``n_clusters`` or ``seeds`` are not distinct whole numbers in range, when there
        are fewer distinct rows than clusters, or when labels, test set and data do not go together.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> result = sweep(X.astype(np.uint8), y, n_clusters=(5, 10), options=SweepOptions(max_value=16))
    >>> [run.n_clusters for run in result.runs]
    [5, 10]
    >>> result.runs[1].accuracy_train > result.runs[0].accuracy_train
    True
    """
    options = options or SweepOptions()
    data = _Data.checked(X, y, test, options.max_value)
    numbers = _checked_n_clusters(n_clusters, data.X)
    checked_seeds = _checked_seeds(seeds)
    _estimator(options, numbers[0], checked_seeds[0])
    sample = _sample(data)
    runs: list[SweepRun] = []
    models: dict[int, Any] = {}
    for number in numbers:
        part = data.leading(options.n_leading and options.n_leading(number))
        fits = _Fits(part, options, sample if part is data else _sample(part))
        for seed in checked_seeds:
            fits.fit(number, seed)
        runs += fits.finished()
        if options.keep_models:
            models[number] = fits.best
    return SweepResult(tuple(runs), models)


@dataclass(frozen=True, eq=False)
class _Data:
    """What a sweep works on, checked: labels as codes below ``len(classes)``."""

    X: NDArray[Any]
    max_value: float
    y_codes: NDArray[np.int64] | None
    classes: NDArray[Any] | None
    X_test: NDArray[Any] | None
    y_test: NDArray[Any] | None

    @classmethod
    def checked(
        cls,
        X: ArrayLike,
        y: ArrayLike | None,
        test: tuple[ArrayLike, ArrayLike] | None,
        max_value: float | None,
    ) -> _Data:
        rows = native_rows(X, "X")
        scale = _checked_max_value(max_value, np.asarray(X).dtype if rows.dtype == np.uint8 else rows.dtype)
        if y is None:
            if test is not None:
                raise ValueError("a test set needs the labels of the training rows too: give y")
            return cls(rows, scale, None, None, None, None)
        classes, codes = np.unique(_checked_labels(y, len(rows), "y"), return_inverse=True)
        if test is None:
            return cls(rows, scale, codes, classes, None, None)
        test_rows = native_rows(test[0], "X_test")
        if test_rows.shape[1] != rows.shape[1]:
            raise ValueError(f"X_test has {test_rows.shape[1]} features, but X has {rows.shape[1]}")
        y_test = _checked_labels(test[1], len(test_rows), "y_test")
        if (y_test.dtype.kind in "USO") != (classes.dtype.kind in "USO"):
            raise ValueError(f"y_test is {y_test.dtype} but y is {classes.dtype}; label both in the same way")
        return cls(rows, scale, codes, classes, test_rows, y_test)

    def leading(self, n: int | None) -> _Data:
        """The same with the first ``n`` features alone; None: with all."""
        if n is None or n >= self.X.shape[1]:
            return self
        X_test = None if self.X_test is None else np.ascontiguousarray(self.X_test[:, :n])
        return replace(self, X=np.ascontiguousarray(self.X[:, :n]), X_test=X_test)


class _Fits:
    """The runs of one number of clusters, seed by seed."""

    def __init__(self, data: _Data, options: SweepOptions, sample: LabelSample | None) -> None:
        self.best: Any = None
        self._data = data
        self._options = options
        self._sample = sample
        self._runs: list[SweepRun] = []
        self._sampled_labels: list[NDArray[Any]] = []

    def fit(self, n_clusters: int, seed: int) -> None:
        """Fit once, timed and watched, then score."""
        if self._options.on_start:
            self._options.on_start(n_clusters, seed)
        estimator = _estimator(self._options, n_clusters, seed)
        with PeakMemory() as memory:
            start = time.perf_counter()
            estimator.fit(self._data.X)
            seconds = time.perf_counter() - start
        run = SweepRun(
            n_clusters=n_clusters,
            seed=seed,
            algorithm=type(estimator).__name__,
            inertia_raw=float(estimator.inertia_),
            inertia_scaled=float(estimator.inertia_) / self._data.max_value**2,
            n_iter=int(estimator.n_iter_),
            converged=bool(getattr(estimator, "converged_", estimator.n_iter_ < estimator.max_iter)),
            fit_seconds=seconds,
            peak_memory_bytes=memory.peak_bytes,
            n_train=len(self._data.X),
            n_test=None if self._data.X_test is None else len(self._data.X_test),
            n_sampled=len(self._sample.rows) if self._sample else None,
            largest_share=float(np.bincount(estimator.labels_).max() / len(self._data.X)),
            **self._scores(estimator),
        )
        self._keep(run, estimator)
        if self._options.on_run:
            self._options.on_run(run)

    def finished(self) -> list[SweepRun]:
        """The runs, with the stability that only all seeds together have."""
        scores = stabilities(self._sampled_labels) if self._sample else [None] * len(self._runs)
        return [replace(run, stability=score) for run, score in zip(self._runs, scores, strict=True)]

    def _keep(self, run: SweepRun, estimator: Any) -> None:
        if self._options.keep_models and (self.best is None or run.inertia_raw < self.best.inertia_):
            self.best = estimator
        if self._sample:
            self._sampled_labels.append(np.array(estimator.labels_[self._sample.rows]))
        self._runs.append(run)

    def _scores(self, estimator: Any) -> dict[str, float | None]:
        data, labels = self._data, estimator.labels_
        scores: dict[str, float | None] = dict.fromkeys(_SCORES)
        if self._sample:
            scores["silhouette"] = self._sample.silhouette(labels)
        if data.y_codes is None or data.classes is None:
            return scores
        homogeneity, completeness, v_measure = homogeneity_completeness_v_measure(data.y_codes, labels)
        votes = count_votes(labels, data.y_codes, len(data.classes), estimator.cluster_centers_)
        scores |= {
            "homogeneity": float(homogeneity),
            "completeness": float(completeness),
            "v_measure": float(v_measure),
            "adjusted_rand": float(adjusted_rand_score(data.y_codes, labels)),
            "accuracy_train": float(np.mean(votes.name_codes[labels] == data.y_codes)),
        }
        if data.X_test is not None:
            names = data.classes[votes.name_codes[estimator.predict(data.X_test)]]
            scores["accuracy_test"] = float(np.mean(names == data.y_test))
        return scores


def _sample(data: _Data) -> LabelSample | None:
    return None if data.y_codes is not None else LabelSample(data.X)


_SCORES = (
    "homogeneity",
    "completeness",
    "v_measure",
    "adjusted_rand",
    "accuracy_train",
    "accuracy_test",
    "silhouette",
    "stability",
)


def _estimator(options: SweepOptions, n_clusters: int, seed: int) -> Any:
    """An unfitted clusterer for one run."""
    if not isinstance(options.algorithm, str):
        estimator = clone(options.algorithm).set_params(n_clusters=n_clusters, random_state=seed)
    elif options.algorithm in _ALGORITHMS:
        kind = cluster.KMeans if options.algorithm == "kmeans" else cluster.MiniBatchKMeans
        estimator = kind(n_clusters, tol=options.tol, random_state=seed, n_threads=options.n_threads)
        if options.max_iter is not None:
            estimator.set_params(max_iter=options.max_iter)
    else:
        allowed = ", ".join(_ALGORITHMS)
        raise ValueError(f"algorithm={options.algorithm!r} must be one of {allowed}, or a clusterer")
    if options.on_iteration and "callback" in estimator.get_params(deep=False):
        estimator.set_params(callback=options.on_iteration)
    return estimator


def _checked_labels(labels: ArrayLike, n_samples: int, name: str) -> NDArray[Any]:
    checked: NDArray[Any] = column_or_1d(labels)
    if len(checked) != n_samples:
        raise ValueError(f"{name} has {len(checked)} labels for {n_samples} rows; give one for each")
    check_classification_targets(checked)
    return checked


def _checked_max_value(max_value: float | None, dtype: np.dtype[Any]) -> float:
    if max_value is None:
        return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0
    if not (math.isfinite(max_value) and max_value > 0):
        raise ValueError(f"max_value={max_value} must be a number above 0")
    return float(max_value)


def _checked_n_clusters(n_clusters: Sequence[int], X: NDArray[Any]) -> list[int]:
    numbers = sorted(_distinct_whole_numbers(n_clusters, "n_clusters", low=1))
    if numbers[-1] > len(X):
        raise ValueError(
            f"n_clusters={numbers[-1]} must be at most n_samples={len(X)}; lower n_clusters or add images"
        )
    n_distinct = _count_distinct(X, numbers[-1])
    if numbers[-1] > n_distinct:
        raise ValueError(
            f"n_clusters={numbers[-1]} must be at most the {n_distinct} distinct rows of X; "
            "lower n_clusters or add images"
        )
    return numbers


def _count_distinct(X: NDArray[Any], enough: int) -> int:
    """How many distinct rows there are, counted no further than ``enough``."""
    distinct: set[bytes] = set()
    for row in X:
        # Adding 0 makes -0.0 the same bytes as 0.0.
        distinct.add((row + row.dtype.type(0)).tobytes())
        if len(distinct) >= enough:
            break
    return len(distinct)


def _checked_seeds(seeds: Sequence[int]) -> list[int]:
    checked = _distinct_whole_numbers(seeds, "seeds", low=0)
    if max(checked) >= 1 << 32:
        raise ValueError(f"seeds={max(checked)} must be below 2**32")
    return checked


def _distinct_whole_numbers(values: Sequence[int], name: str, low: int) -> list[int]:
    try:
        numbers = [operator.index(value) for value in values]
    except TypeError:
        raise ValueError(f"{name}={values!r} must be a list of whole numbers") from None
    if not numbers or any(isinstance(value, bool) for value in values):
        raise ValueError(f"{name}={values!r} must be a list of at least one whole number")
    if min(numbers) < low:
        raise ValueError(f"{name}={min(numbers)} must be at least {low}")
    repeated = sorted(number for number, count in Counter(numbers).items() if count > 1)
    if repeated:
        raise ValueError(f"{name} names {repeated[0]} twice; name each once")
    return numbers
