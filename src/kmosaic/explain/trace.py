"""A fit looked at half-step by half-step, as kmosaic's own KMeans takes it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from kmosaic.cluster import KMeans
from kmosaic.engines import nearest_centers

Policy = Literal["relocate", "random", "drop"]
StepKind = Literal["start", "assign", "update"]


@dataclass(frozen=True, eq=False)
class Step:
    """Where a fit stands after one half-step.

    ``centers`` is float64 (n_clusters, n_features) and ``labels`` int32 (n_samples,), None before the first
    assignment; ``inertia`` is J, None likewise. ``ids`` numbers the clusters as they were at the start, so
    that one keeps its number when another is dropped; ``filled`` are clusters that had lost all their points
    and were given one in this step.
    """

    kind: StepKind
    centers: NDArray[np.float64]
    labels: NDArray[np.int32] | None
    inertia: float | None
    ids: tuple[int, ...]
    filled: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Trace:
    """All half-steps of one fit, the start first."""

    steps: tuple[Step, ...]

    @property
    def inertia(self) -> float:
        """J at the end."""
        last = self.steps[-1].inertia
        assert last is not None
        return last

    @property
    def labels(self) -> NDArray[np.int32]:
        """The clusters at the end."""
        last = self.steps[-1].labels
        assert last is not None
        return last

    @property
    def centers(self) -> NDArray[np.float64]:
        """The centroids at the end."""
        return self.steps[-1].centers


def trace(
    X: NDArray[np.float64],
    start: NDArray[np.float64],
    *,
    empty_clusters: Policy = "relocate",
    seed: int = 0,
    max_iter: int = 300,
) -> Trace:
    """Return the half-steps of ``KMeans(init=start)`` on ``X`` (n_samples, n_features).

    The values of J are those of one whole fit; the centroids between are those of fits of one iteration each,
    which continue one another.

    Examples
    --------
    >>> X = np.array([[0.0, 0.0], [0.0, 2.0], [9.0, 0.0], [9.0, 2.0]])
    >>> [(step.kind, step.inertia) for step in trace(X, X[:2]).steps[:3]]
    [('start', None), ('assign', 162.0), ('update', 81.0)]
    """
    centers = np.array(start, dtype=np.float64)
    random_state = np.random.RandomState(seed)
    whole = fit_from(
        X, centers, max_iter=max_iter, empty_clusters=empty_clusters, random_state=seed, n_threads=1
    )
    policy = "random" if empty_clusters == "random" else "relocate"
    ids = tuple(range(len(centers)))
    steps = [Step("start", centers, None, None, ids)]
    for number, inertia in enumerate(whole.inertia_history_.tolist()):
        if number % 2 == 0:
            labels = nearest_centers(X, centers, 1)
            steps.append(Step("assign", centers, labels, inertia, ids))
            continue
        empty = np.bincount(labels, minlength=len(centers)) == 0
        filled: tuple[int, ...] = ()
        if empty.any() and empty_clusters == "drop":
            centers, ids = centers[~empty], tuple(np.array(ids)[~empty].tolist())
            labels = (np.cumsum(~empty) - 1)[labels].astype(np.int32)
        elif empty.any():
            filled = tuple(np.flatnonzero(empty).tolist())
        step = fit_from(X, centers, max_iter=1, empty_clusters=policy, random_state=random_state, n_threads=1)
        centers = step.cluster_centers_
        steps.append(
            Step("update", centers, _with_relocated(X, labels, centers, filled), inertia, ids, filled)
        )
    return Trace(tuple(steps))


def fit_from(X: NDArray[Any], start: NDArray[np.float64], **parameters: Any) -> KMeans:
    """Fit ``KMeans`` from ``start``, without a warning where ``max_iter`` stops it on purpose."""
    model = KMeans(len(start), init=start, n_init=1, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X)


def _with_relocated(
    X: NDArray[np.float64],
    labels: NDArray[np.int32],
    centers: NDArray[np.float64],
    filled: tuple[int, ...],
) -> NDArray[np.int32]:
    """The labels with the one point that a filled cluster was relocated to: its centroid lies on it."""
    labels = labels.copy()
    for cluster in filled:
        labels[np.flatnonzero((centers[cluster] == X).all(axis=1))[:1]] = cluster
    return labels
