"""Images as they are."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from kmosaic.features.base import ImageTransformer


class Pixels(ImageTransformer):
    """Leaves images as they are: the representation of no representation, in the pixels' own dtype.

    Parameters and attributes are those of every transformer; see ``ImageTransformer``.

    Examples
    --------
    >>> import numpy as np
    >>> Pixels().fit_transform(np.array([[0, 9], [3, 255]], dtype=np.uint8))
    array([[  0,   9],
           [  3, 255]], dtype=uint8)
    """

    _KEEPS_DTYPE = True

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_

    def _transform(self, rows: NDArray[Any]) -> NDArray[Any]:
        return rows
