"""Lloyd's algorithm: the assignment step and the update step, one after the other.

S. P. Lloyd (1982), "Least squares quantization in PCM", IEEE Transactions on Information Theory 28(2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.empty import EmptyClusters, drop_empty, repair_empty
from kmosaic.engines.engine import Engine
from kmosaic.engines.magnitude import scaled_centers, times_two_to

# No step raises J, but a sum of rounded distances may seem to rise by this share.
_ROUNDING = 1e-12
_MIN = 5e-324  # float64's least number


@dataclass(frozen=True)
class IterationProgress:
    """Where a fit stands: given to ``callback`` after every iteration."""

    restart: int
    n_init: int
    iteration: int
    max_iter: int
    inertia: float
    n_changed: int | None
    """How many labels the iteration changed; None where that is not counted."""


@dataclass(frozen=True)
class LloydOptions:
    """How long to go on, and what to do about clusters that lose all their rows."""

    max_iter: int
    tolerance: float
    """Stop when the centres' ``squared_shift`` is no more than this; 0 means: until no label changes."""
    empty_clusters: EmptyClusters
    random_state: np.random.RandomState
    on_iteration: Callable[[int, float, int | None], None]
    """Called with the iteration, J and the number of labels that changed, where that is known."""
    after_update: Callable[[NDArray[np.float64]], NDArray[np.float64] | None] | None = None
    """Constrains the centres: called with them after every update step, it returns those to go on with, of
    the same shape, or None for those it was given, which it may have changed in place.

    J is that of the constrained centres. It never rises only where the constraint gives the best centres it
    allows, as scaling to unit length does for rows of unit length. Given equal centres it must return equal
    ones. The centres to start from are not constrained."""
    negligible: float = 0.0
    """Rows that cost no more than this fill no empty cluster: where a constraint keeps centres from being
    equal to their rows, what rounding costs a row is not 0."""


@dataclass(frozen=True)
class LloydResult:
    """A fixed point of Lloyd's algorithm, or where it was when it was stopped.

    ``history`` has J after every assignment step and every update step, in turn; it never rises, unless
    ``LloydOptions.after_update`` lets it. ``labels`` is empty where the engine keeps none.
    """

    centers: NDArray[np.float64]
    labels: NDArray[np.int32]
    counts: NDArray[np.float64]
    """The total weight of each cluster's rows."""
    inertia: float
    n_iter: int
    converged: bool
    history: NDArray[np.float64]
    rank: tuple[float, float]
    """To compare results of one engine by J: J, and J in units in which it keeps its digits."""


def lloyd(engine: Engine, centers: NDArray[np.float64], options: LloydOptions) -> LloydResult:
    """Alternate assignment and update steps from ``centers`` until nothing changes, or options say stop."""
    engine.forget_labels()
    centers = centers.copy()  # they move in place
    # J of tiny rows keeps its digits in units of their own.
    exponent = 0 if scaled_centers(centers, engine.exponent) is None else engine.exponent
    history: list[float] = []

    def record(inertia: float | None, at: NDArray[np.float64]) -> None:
        if inertia is None:
            inertia = engine.summed_inertia(at, exponent)
        if history and history[-1] < inertia <= history[-1] * (1 + _ROUNDING) + _MIN:
            inertia = history[-1]
        history.append(inertia)

    converged = False
    iteration = 0
    while iteration < options.max_iter and not converged:
        iteration += 1
        step = engine.assign(centers)
        record(engine.certified_inertia(step.sums, centers, exponent), centers)
        sums, n_filled = step.sums, 0
        if (sums.counts == 0).any():
            repaired = repair_empty(
                engine, sums, centers, options.empty_clusters, options.random_state, options.negligible
            )
            sums, centers, n_filled = repaired.sums, repaired.centers, repaired.n_filled
        converged = step.n_changed == 0 and n_filled == 0
        if not converged:
            before = centers.copy() if options.tolerance > 0 else centers
            record(_update(engine, sums, centers, exponent, options), centers)
            if options.tolerance > 0:
                converged = engine.squared_shift(before, centers) <= options.tolerance
        options.on_iteration(iteration, math.ldexp(history[-1], -2 * exponent), step.n_changed)
    counts = sums.counts
    if len(history) % 2 == 0:  # the last step moved centres: labels and J must be theirs
        last = engine.assign(centers)
        record(engine.certified_inertia(last.sums, centers, exponent), centers)
        counts = last.sums.counts
        if (counts == 0).any():
            centers = drop_empty(engine, last.sums, centers, options.empty_clusters)
            counts = counts[counts > 0] if len(centers) < len(counts) else counts
    labels = engine.give_labels()
    steps = times_two_to(np.array(history), -2 * exponent)
    return LloydResult(
        centers,
        labels,
        counts,
        float(steps[-1]),
        iteration,
        converged,
        steps,
        (float(steps[-1]), history[-1]),
    )


def _update(
    engine: Engine,
    sums: _core.ClusterSums,
    centers: NDArray[np.float64],
    exponent: int,
    options: LloydOptions,
) -> float | None:
    """Move the centres, in place, to their clusters' means, constrained if asked for; return J there."""
    inertia = engine.update(sums, centers, exponent)
    if options.after_update is None:
        return inertia
    allowed = options.after_update(centers)
    if allowed is not None:
        if np.shape(allowed) != centers.shape:
            raise ValueError(
                f"after_update returned an array of shape {np.shape(allowed)}; "
                f"return centres of the shape it was given, {centers.shape}"
            )
        centers[:] = allowed
    return engine.certified_inertia(sums, centers, exponent)
