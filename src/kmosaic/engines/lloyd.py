"""Lloyd's algorithm: the assignment step and the update step, one after the other.

S. P. Lloyd (1982), "Least squares quantization in PCM", IEEE Transactions on Information Theory 28(2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines.empty import EmptyClusters, drop_empty, repair_empty
from kmosaic.engines.engine import Engine

# No step raises J, but a sum of rounded distances may seem to rise by this share.
_ROUNDING = 1e-12


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
    """Stop when the centres' summed squared shift is no more than this; 0 means: until no label changes."""
    empty_clusters: EmptyClusters
    random_state: np.random.RandomState
    on_iteration: Callable[[int, float, int | None], None]
    """Called with the iteration, J and the number of labels that changed, where that is known."""


@dataclass(frozen=True)
class LloydResult:
    """A fixed point of Lloyd's algorithm, or where it was when it was stopped.

    ``history`` has J after every assignment step and every update step, in turn; it never rises. ``labels``
    is empty where the engine keeps none.
    """

    centers: NDArray[np.float64]
    labels: NDArray[np.int32]
    counts: NDArray[np.float64]
    """The total weight of each cluster's rows."""
    inertia: float
    n_iter: int
    converged: bool
    history: NDArray[np.float64]


def lloyd(engine: Engine, centers: NDArray[np.float64], options: LloydOptions) -> LloydResult:
    """Alternate assignment and update steps from ``centers`` until nothing changes, or options say stop."""
    engine.forget_labels()
    centers = centers.copy()  # they move in place
    history: list[float] = []

    def record(inertia: float | None, at: NDArray[np.float64]) -> None:
        if inertia is None:
            inertia = engine.summed_inertia(at)
            if history and history[-1] < inertia <= history[-1] * (1 + _ROUNDING):
                inertia = history[-1]
        history.append(inertia)

    converged = False
    iteration = 0
    while iteration < options.max_iter and not converged:
        iteration += 1
        step = engine.assign(centers)
        record(engine.certified_inertia(step.sums, centers), centers)
        sums, n_filled = step.sums, 0
        if (sums.counts == 0).any():
            repaired = repair_empty(engine, sums, centers, options.empty_clusters, options.random_state)
            sums, centers, n_filled = repaired.sums, repaired.centers, repaired.n_filled
        converged = step.n_changed == 0 and n_filled == 0
        if not converged:
            before = centers.copy() if options.tolerance > 0 else centers
            record(engine.update(sums, centers), centers)
            if options.tolerance > 0:
                converged = float(np.square(centers - before).sum()) <= options.tolerance
        options.on_iteration(iteration, history[-1], step.n_changed)
    counts = sums.counts
    if len(history) % 2 == 0:  # the last step moved centres: labels and J must be theirs
        last = engine.assign(centers)
        record(engine.certified_inertia(last.sums, centers), centers)
        counts = last.sums.counts
        if (counts == 0).any():
            centers = drop_empty(engine, last.sums, centers, options.empty_clusters)
            counts = counts[counts > 0] if len(centers) < len(counts) else counts
    labels = engine.give_labels()
    return LloydResult(centers, labels, counts, history[-1], iteration, converged, np.array(history))
