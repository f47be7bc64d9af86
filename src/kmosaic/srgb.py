"""sRGB as light."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def linear_light(values: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return sRGB values from 0 to 255 as shares of light, from 0 to 1 (IEC 61966-2-1).

    >>> linear_light(np.array([0, 10, 255]))
    array([0.        , 0.00303527, 1.        ])
    """
    shares = values / 255
    light: NDArray[np.float64] = np.where(
        shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4
    )
    return light
