"""scikit-learn's arrays as engines, shared by what one fit calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kmosaic.cluster.estimator import checked_weights
from kmosaic.cluster.sources import OpenRows, stand_in
from kmosaic.engines import MemoryEngine, make_engine, resolve_n_threads
from kmosaic.engines.sparse_engine import SparseEngine
from kmosaic.models.validation import LARGEST_VALUE, check_magnitude
from kmosaic.rows import sparse_rows

AnyEngine = MemoryEngine | SparseEngine
MANY_STEPS = 100

_shared: ContextVar[dict[tuple[int, int], tuple[Any, Any, AnyEngine]] | None] = ContextVar(
    "shared", default=None
)


class NotTakenError(Exception):
    """What our functions do not take, raised before they draw, print or change anything."""


@contextmanager
def shared_engines() -> Iterator[None]:
    """Let all ``engine_of`` within have the same engine for the same rows, which must not change."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def engine_of(X: Any, sample_weight: NDArray[Any], n_threads: int) -> AnyEngine:
    """Return an engine over X, (n_samples, n_features) float32 or float64, dense or CSR.

    Raises NotTakenError for values and weights that no engine takes.
    """
    shared = _shared.get()
    key = id(X), id(sample_weight)
    if shared is not None and key in shared:
        return shared[key][2]
    engine = _engine_of(X, sample_weight, resolve_n_threads(n_threads))
    if shared is not None:
        shared[key] = X, sample_weight, engine  # held, so that no other object gets their numbers
    return engine


def _engine_of(X: Any, sample_weight: NDArray[Any], n_threads: int) -> AnyEngine:
    try:
        if not sparse.issparse(X):
            return _dense(X, sample_weight, n_threads)
        source = sparse_rows(X)
        weights = checked_weights(sample_weight, stand_in(source))
        held = OpenRows(source, None, 1, n_threads, n_out=None).held()
        if held is not None:
            return make_engine(held, weights, n_threads, steps_expected=MANY_STEPS)
        return SparseEngine(source, weights, n_threads)
    except ValueError as error:
        raise NotTakenError(str(error)) from error


def _dense(X: NDArray[Any], sample_weight: NDArray[Any], n_threads: int) -> MemoryEngine:
    rows = checked_rows(X)
    return make_engine(rows, checked_weights(sample_weight, rows), n_threads, steps_expected=MANY_STEPS)


def checked_rows(X: Any) -> NDArray[Any]:
    """X as the engines read it. Raises NotTakenError where they cannot."""
    if not isinstance(X, np.ndarray) or X.dtype.type not in (np.float32, np.float64):
        raise NotTakenError(f"X is a {type(X).__name__} of dtype {getattr(X, 'dtype', 'unknown')}")
    if X.dtype == np.float64:
        try:
            check_magnitude("X", X)
        except ValueError as error:
            raise NotTakenError(str(error)) from error
    return np.require(X, requirements=["C", "A"])


def wide(centers: Any) -> NDArray[np.float64]:
    """Centres as the engines read them, a copy. Raises NotTakenError for values that they do not take."""
    copied = np.array(centers, dtype=np.float64, order="C")
    if not np.abs(copied).max(initial=0) <= LARGEST_VALUE:
        raise NotTakenError(f"centres have NaN, infinity or values above {LARGEST_VALUE:g}")
    return copied
