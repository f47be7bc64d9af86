"""What estimators share that refuse Dask arrays."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from kmosaic.cluster.dask.rows import is_dask_array
from kmosaic.cluster.estimator import CentroidEstimator
from kmosaic.errors import DataError


class InMemoryEstimator(CentroidEstimator):
    """Base of estimators whose rows must lie in memory."""

    def _rows(self, X: ArrayLike, *, reset: bool) -> NDArray[Any]:
        if is_dask_array(X):
            self._dask_rows(X, None, reset=reset)
        return super()._rows(X, reset=reset)

    def _dask_rows(self, X: Any, sample_weight: Any, *, reset: bool) -> Any:  # noqa: ARG002
        raise DataError(f"{type(self).__name__} takes rows in memory, not a Dask array; pass X.compute()")
