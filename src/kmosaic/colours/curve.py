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
    """How far a picture in few colours is from its original, without dithering.

    Attributes
    ----------
    n_colors
        How many colours there are.
    mean_error
        The mean squared distance of pixels from the nearest of them, as :attr:`Quantized.mean_error`.
    """

    n_colors: int
    mean_error: float


def error_curve(
    image: Any, colors: tuple[int, ...] = DEFAULT_COLORS, options: QuantizeOptions | None = None
) -> tuple[CurvePoint, ...]:
    """One palette for each number of colours, in ascending order; no more than the picture has.

    Parameters
    ----------
    image : array or PIL.Image.Image
        As for :func:`quantize`.
    colors : tuple of int
        Numbers of colours, each 1 to 256.
    options : QuantizeOptions, optional
        How colours are found; its ``dither``, ``palette`` and ``extra`` do not count.

    Returns
    -------
    tuple of CurvePoint
        One for each number of colours that was reached.

    Raises
    ------
    DataError
        For no numbers, and as ``quantize``.

    Examples
    --------
    >>> import numpy as np
    >>> picture = np.zeros((2, 2, 3), np.uint8)
    >>> picture[0] = 255
    >>> [(point.n_colors, round(point.mean_error, 3)) for point in error_curve(picture, (1, 2, 9))]
    [(1, 0.25), (2, 0.0)]
    """
    if not colors:
        raise DataError("no numbers of colours; give at least one")
    picture = as_picture(image)
    how = replace(options or QuantizeOptions(), dither="none", palette=None, extra=0)
    points = []
    for n_colors in sorted(set(colors)):
        result = quantize(picture, n_colors, how)
        points.append(CurvePoint(len(result.palette), result.mean_error))
        if len(result.palette) < n_colors:
            break
    return tuple({point.n_colors: point for point in points}.values())
