"""The same bits from every instruction set and any number of threads."""

from __future__ import annotations

import numpy as np

from fuzz.fits import fitted
from fuzz.problems import Problem, problem
from kmosaic import _core

_THREADS = (1, 2, 5)


def check(p: Problem) -> None:
    """Fit in every way.

    Raises
    ------
    AssertionError
        Where two fits are not the same to the bit.
    """
    expected: tuple[bytes, ...] | None = None
    supported = [name for name, there in _core.cpu()["variants"].items() if there]
    try:
        for cpu in supported:
            _core.select_cpu(cpu)
            for n_threads in _THREADS if cpu == supported[0] else (2,):
                found = _bits(p, n_threads)
                expected = found if expected is None else expected
                assert found == expected, f"{cpu} with {n_threads} threads differs from {supported[0]} with 1"
    finally:
        _core.select_cpu("")


def _bits(p: Problem, n_threads: int) -> tuple[bytes, ...]:
    model = fitted(p, max_iter=12, n_threads=n_threads)
    if model is None:
        return ()
    parts = (model.cluster_centers_, model.labels_, model.inertia_history_, model.transform(p.rows[:50]))
    return tuple(np.ascontiguousarray(part).tobytes() for part in parts)


def run(seed: int) -> None:
    """Check the problem of a seed."""
    check(problem(seed, large=True))
