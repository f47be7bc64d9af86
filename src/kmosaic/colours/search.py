"""The fewest colours with which a picture looks well enough."""

from __future__ import annotations

from typing import Any

from kmosaic.colours.options import QuantizeOptions
from kmosaic.colours.palette import MAX_COLORS
from kmosaic.colours.quantize import as_picture, quantize
from kmosaic.colours.result import Quantized
from kmosaic.errors import DataError


def fewest_colors(
    image: Any, quality: float, options: QuantizeOptions | None = None, most: int = MAX_COLORS
) -> Quantized:
    """The picture in the fewest colours whose SSIMULACRA2 is at least ``quality``, found by bisection.

    The score grows with the colours but for a few tenths, so that now and then one colour fewer would do.

    Raises DataError where ``most`` colours do not reach it; the message has the best score.
    """
    picture = as_picture(image)
    best = quantize(picture, most, options)
    if best.ssimulacra2 < quality:
        raise DataError(
            f"quality {quality:g} is out of reach: {len(best.palette)} colours reach {best.ssimulacra2:.1f}; "
            "ask for less"
        )
    low, high = 1, len(best.palette)  # low does not reach it, high does
    while high - low > 1:
        middle = (low + high) // 2
        result = quantize(picture, middle, options)
        if result.ssimulacra2 >= quality:
            best, high = result, middle
        else:
            low = middle
    return best
