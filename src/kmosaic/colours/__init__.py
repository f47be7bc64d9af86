"""One photo's colours: palettes by k-means, pictures of few colours, palette files.

>>> import numpy as np
>>> picture = np.zeros((4, 4, 3), np.uint8)
>>> picture[:2] = (255, 0, 0)
>>> quantize(picture, 2).palette.css_names
('black', 'red')
"""

from kmosaic.colours.curve import CurvePoint, error_curve
from kmosaic.colours.options import QuantizeOptions
from kmosaic.colours.palette import Palette
from kmosaic.colours.quantize import quantize, quantize_all
from kmosaic.colours.result import Quantized
from kmosaic.colours.search import fewest_colors

__all__ = [
    "CurvePoint",
    "Palette",
    "QuantizeOptions",
    "Quantized",
    "error_curve",
    "fewest_colors",
    "quantize",
    "quantize_all",
]
