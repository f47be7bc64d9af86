"""About the fewest colours with which a picture looks well enough."""

from __future__ import annotations

from typing import Any

from kmosaic.colours.options import QuantizeOptions
from kmosaic.colours.palette_files import MAX_COLORS
from kmosaic.colours.quantize import as_picture, quantize
from kmosaic.colours.result import Quantized
from kmosaic.errors import DataError


def fewest_colors(
    image: Any, quality: float, options: QuantizeOptions | None = None, most: int = MAX_COLORS
) -> Quantized:
    """The picture in about the fewest colours whose SSIMULACRA2 is at least ``quality``, found by bisection.

    The score grows with the colours but for a few tenths, so that now and then fewer would do. Scores are
    sums of reals whose last digits may differ between machines; a score as near to ``quality`` as that may
    give another number of colours there.

    Parameters
    ----------
    image : array or PIL.Image.Image
        As for :func:`quantize`.
    quality : float
        The least score: 90 looks the same as the original, 70 is high quality, 50 medium. It means little for
        pictures smaller than 64 x 64.
    options : QuantizeOptions, optional
        How colours are found and given.
    most : int
        How many colours there may be, 1 to 256.

    Returns
    -------
    Quantized
        The picture in these colours.

    Raises
    ------
    DataError
        Where ``most`` colours do not reach it; the message has their score. For bad input as ``quantize``.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    >>> fewest_colors(np.tile(ramp, (32, 1, 1)), 70).ssimulacra2 >= 70
    True
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
