"""One photo's colours: palettes by k-means, pictures of few colours, palette files.

>>> import numpy as np
>>> picture = np.zeros((4, 4, 3), np.uint8)
>>> picture[:2] = (255, 0, 0)
>>> quantize(picture, 2).palette.css_names
('black', 'red')
"""

from kmosaic.colours.options import QuantizeOptions
from kmosaic.colours.palette import Palette
from kmosaic.colours.quantize import quantize, quantize_all
from kmosaic.colours.result import Quantized

__all__ = ["Palette", "QuantizeOptions", "Quantized", "quantize", "quantize_all"]
