"""Lloyd's algorithm with scikit-learn's rules: when it ends, what fills an empty cluster, what it prints.

They differ from those of ``engines.lloyd``: rows that fill clusters count as having moved in the step after,
clusters that stay empty go where the heaviest one is, and the last step may leave labels that ``tol`` or
``max_iter`` cut short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.accelerate.rows import AnyEngine, engine_of, wide


@dataclass(frozen=True)
class SingleFit:
    """What one start came to."""

    labels: NDArray[np.int32]
    inertia: float
    centers: NDArray[Any]
    n_iter: int


@dataclass(frozen=True)
class Rules:
    """When to stop, and how scikit-learn writes it."""

    max_iter: int
    tol: float
    dtype: np.dtype[Any]
    """That of the centres in the end."""
    verbose: bool = False
    stop: str = "."
    """How a line on an iteration ends: Lloyd's with a full stop, Elkan's without."""


class MergedRowsMovedError(Exception):
    """A cluster is empty, and equal rows were merged: those that fill it must be told apart."""


def lloyd(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
    """``sklearn.cluster._kmeans._kmeans_single_lloyd``."""
    return _single(".", *args, **kwargs)


def elkan(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
    """``sklearn.cluster._kmeans._kmeans_single_elkan``, whose result is Lloyd's."""
    return _single("", *args, **kwargs)


def _single(  # noqa: PLR0913 (scikit-learn's signature)
    stop: str,
    X: Any,
    sample_weight: NDArray[Any],
    centers_init: NDArray[Any],
    max_iter: int = 300,
    verbose: bool = False,
    tol: float = 1e-4,
    n_threads: int = 1,
) -> tuple[NDArray[np.int32], float, NDArray[Any], int]:
    centers = wide(centers_init)
    engine = engine_of(X, sample_weight, n_threads)
    fit = single_fit(engine, centers, Rules(max_iter, float(tol), X.dtype, bool(verbose), stop))
    return fit.labels, fit.inertia, fit.centers, fit.n_iter


def single_fit(engine: AnyEngine, centers: NDArray[np.float64], rules: Rules) -> SingleFit:
    """Alternate steps from ``centers``, which move in place, as scikit-learn does."""
    engine.forget_labels()
    moved: dict[int, tuple[int, int]] = {}
    strict, n_iter = False, 0
    for iteration in range(rules.max_iter):
        n_iter = iteration + 1
        sums = (step := engine.assign(centers)).sums
        n_changed = _changed(engine, step.n_changed, moved)
        if rules.verbose:
            print(f"Iteration {iteration}, inertia {engine.inertia(sums, centers)}{rules.stop}")
        before = centers.copy()
        moved = _fill_empty(engine, sums, centers)
        _update(engine, sums, centers)
        strict = n_changed == 0
        if strict or _stands(before, centers, iteration, rules):
            break
    if strict and rules.verbose:
        print(f"Converged at iteration {n_iter - 1}: strict convergence.")
    given = centers.astype(rules.dtype)
    if not strict or moved or given.dtype != centers.dtype:
        centers = given.astype(np.float64)
        sums = engine.assign(centers).sums
    inertia = engine.inertia(sums, centers)
    return SingleFit(engine.give_labels(), inertia, given, n_iter)


def _stands(before: NDArray[np.float64], centers: NDArray[np.float64], iteration: int, rules: Rules) -> bool:
    """Whether the centres have moved by no more than ``tol``."""
    shift = float(np.square(centers - before).sum())
    if shift > rules.tol:
        return False
    if rules.verbose:
        print(f"Converged at iteration {iteration}: center shift {shift} within tolerance {rules.tol}.")
    return True


def _changed(engine: AnyEngine, n_changed: int | None, moved: dict[int, tuple[int, int]]) -> int:
    """How many labels differ from those of the step before, from before rows were moved to empty clusters."""
    assert n_changed is not None  # engines in memory count
    if not moved:
        return n_changed
    labels = engine.labels
    for row, (old, new) in moved.items():
        n_changed += int(labels[row] != old) - int(labels[row] != new)
    return n_changed


def _fill_empty(engine: AnyEngine, sums: Any, centers: NDArray[np.float64]) -> dict[int, tuple[int, int]]:
    """Move the rows farthest from their centres to the clusters without weight; return from where to where.

    scikit-learn takes them as ``argpartition`` leaves them, whatever cluster they come from.
    """
    empty = np.flatnonzero(sums.counts == 0)
    if not len(empty):
        return {}
    if getattr(engine, "merged", None) is not None:
        raise MergedRowsMovedError
    distances = engine.own_squared_distances(centers)
    if not distances.max() > 0:
        return {}
    far = np.argpartition(distances, -len(empty))[: -len(empty) - 1 : -1]
    moved = {}
    for cluster, row in zip(empty.tolist(), far.tolist(), strict=True):
        donor = engine.donor(row)
        moved[row] = donor.cluster, cluster
        engine.move(sums, donor, cluster)
    return moved


def _update(engine: AnyEngine, sums: Any, centers: NDArray[np.float64]) -> None:
    """Move the centres, in place, to the means; those without weight to that of the heaviest cluster."""
    engine.update(sums, centers)
    counts = sums.counts
    if (counts == 0).any():
        centers[counts == 0] = centers[counts.argmax()]
