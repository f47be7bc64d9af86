"""The assignment step to fitted centres."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.cluster._k_means_common import _inertia_dense, _inertia_sparse

from kmosaic.accelerate.rows import NotTakenError, checked_rows, wide
from kmosaic.engines import nearest_centers, resolve_n_threads
from kmosaic.engines.sparse_engine import nearest_centers_of_sparse
from kmosaic.rows import sparse_rows


def labels_inertia(
    original: Callable[..., Any],  # noqa: ARG001
    X: Any,
    sample_weight: NDArray[Any],
    centers: NDArray[Any],
    n_threads: int = 1,
    return_inertia: bool = True,
) -> Any:
    """``sklearn.cluster._kmeans._labels_inertia``: each row's nearest centre, decided exactly, and J."""
    labels = _labels(X, wide(centers), resolve_n_threads(n_threads))
    if not return_inertia:
        return labels
    inertia = _inertia_sparse if sparse.issparse(X) else _inertia_dense
    return labels, inertia(X, sample_weight, centers, labels, n_threads)


def _labels(X: Any, centers: NDArray[np.float64], n_threads: int) -> NDArray[np.int32]:
    if not sparse.issparse(X):
        return nearest_centers(checked_rows(X), centers, n_threads)
    try:
        return nearest_centers_of_sparse(sparse_rows(X), centers, n_threads)
    except ValueError as error:
        raise NotTakenError(str(error)) from error
