"""Superpixels: photos and volumes cut into small regions that follow edges, and regions joined into classes.

>>> import numpy as np
>>> picture = np.zeros((8, 8, 3), np.uint8)
>>> picture[:, 4:] = 255
>>> np.unique(slic(picture, 4)).tolist()
[1, 2, 3, 4]
"""

from kmosaic.superpixels.outlines import draw_outlines, outlines
from kmosaic.superpixels.regions import Regions, merge, regions
from kmosaic.superpixels.slic import slic

__all__ = ["Regions", "draw_outlines", "merge", "outlines", "regions", "slic"]
