"""The error against the number of colours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from kmosaic.colours.options import QuantizeOptions
from kmosaic.colours.quantize import as_picture, quantize
from kmosaic.errors import DataError

DEFAULT_COLORS = (2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True)
class CurvePoint:
    """The mean squared distance of pixels from the nearest of ``n_colors``, without dithering."""

    n_colors: int
    inertia: float


def error_curve(
    image: Any, colors: tuple[int, ...] = DEFAULT_COLORS, options: QuantizeOptions | None = None
) -> tuple[CurvePoint, ...]:
    """One palette for each number of colours, in ascending order; no more than the picture has.

    >>> import numpy as np
    >>> picture = np.zeros((2, 2, 3), np.uint8)
    >>> picture[0] = 255
    >>> [(point.n_colors, round(point.inertia, 3)) for point in error_curve(picture, (1, 2, 9))]
    [(1, 0.25), (2, 0.0)]
    """
    if not colors:
        raise DataError("no numbers of colours; give at least one")
    picture = as_picture(image)
    how = replace(options or QuantizeOptions(), dither="none", palette=None, extra=0)
    points = []
    for n_colors in sorted(set(colors)):
        result = quantize(picture, n_colors, how)
        points.append(CurvePoint(len(result.palette), result.inertia))
        if len(result.palette) < n_colors:
            break
    return tuple({point.n_colors: point for point in points}.values())
