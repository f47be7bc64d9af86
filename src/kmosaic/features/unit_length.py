"""Rows of unit length."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines import resolve_n_threads, unit_rows
from kmosaic.features.base import ImageTransformer

_BLOCK_VALUES = 1 << 20


class UnitLength(ImageTransformer):
    """Divide each row by its length: what embeddings that are compared by their cosine need.

    Of float64 rows float64, of all others float32. k-means of unit rows compares the same distances as
    spherical k-means; only here centroids are plain means, and the rows can be whitened. A row of zeros has
    no direction, and stays as it is.

    Parameters and attributes are those of every transformer; see ``ImageTransformer``.

    Examples
    --------
    >>> import numpy as np
    >>> UnitLength().fit_transform(np.array([[3, 4], [0, 9]], dtype=np.uint8))
    array([[0.6, 0.8],
           [0. , 1. ]], dtype=float32)
    """

    _TAKES_VECTORS: ClassVar[bool] = True
    _KEEPS_DTYPE = True

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_

    def _transform(self, rows: NDArray[Any]) -> NDArray[Any]:
        out = np.zeros(rows.shape, np.float64 if rows.dtype == np.float64 else np.float32)
        step = max(1, _BLOCK_VALUES // rows.shape[1])
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            filled = np.flatnonzero(part.any(axis=1))
            if len(filled):
                out[start + filled] = unit_rows(part[filled], resolve_n_threads(self.n_threads))
            self._report(start + len(part), len(rows))
        return out
