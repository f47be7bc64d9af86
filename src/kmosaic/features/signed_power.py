"""Values raised to a power, their signs kept."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.features.base import ImageShape, ImageTransformer, Progress, check_real

_BLOCK_VALUES = 1 << 20


class SignedPower(ImageTransformer):
    """Raise each value to a power, its sign kept: large ones no longer decide a distance alone.

    sign(x) |x|^power: F. Perronnin, J. Sánchez, T. Mensink (2010), "Improving the Fisher kernel for
    large-scale image classification", section 3.2. Of features that are counts or means of rectified values,
    square roots are usual; unit length comes after it. Of float64 rows float64, of all others float32.

    Parameters
    ----------
    power : float, default 0.5
        Above 0, at most 1; 1 changes nothing.
    image_shape, n_threads, callback
        See ``ImageTransformer``.

    Raises
    ------
    ValueError
        In ``fit``, for a power out of range, NaN or infinity.

    Examples
    --------
    >>> import numpy as np
    >>> SignedPower().fit_transform(np.array([[4.0, 0.0, -9.0]]))
    array([[ 2.,  0., -3.]])
    """

    _TAKES_VECTORS: ClassVar[bool] = True
    _KEEPS_DTYPE = True

    def __init__(
        self,
        power: float = 0.5,
        *,
        image_shape: ImageShape | None = None,
        n_threads: int | None = None,
        callback: Progress | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_threads=n_threads, callback=callback)
        self.power = power

    @property
    def _n_features_out(self) -> int:
        return self.n_features_in_

    def _check_parameters(self) -> None:
        check_real("power", self.power, 1e-6, 1)

    def _transform(self, rows: NDArray[Any]) -> NDArray[Any]:
        out = np.empty(rows.shape, np.float64 if rows.dtype == np.float64 else np.float32)
        step = max(1, _BLOCK_VALUES // rows.shape[1])
        for start in range(0, len(rows), step):
            part = rows[start : start + step].astype(np.float64)
            # The root is rounded alike on every machine; other powers are as its library has them.
            raised = np.sqrt(np.abs(part)) if self.power == 0.5 else np.abs(part) ** self.power
            out[start : start + step] = np.copysign(raised, part)
            self._report(start + len(part), len(rows))
        return out
