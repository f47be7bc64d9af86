"""SSIMULACRA2: how alike two pictures look, from 100 (the same) down.

J. Sneyers (2022), "SSIMULACRA 2", Cloudinary: structural similarity, artefacts and lost detail in six scales
of the XYB space, weighted to agree with what viewers said. 90: no difference seen; 70: high quality; 50:
medium; 30: low; unlike pictures are below zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from kmosaic.srgb import linear_light

Planes = NDArray[np.float32]
"""(3, height, width)."""

_OPSIN = np.array(
    [
        [0.30, 0.622, 0.078],
        [0.23, 0.692, 0.078],
        [0.24342268924547819, 0.20476744424496821, 0.5518098665095536],
    ]
)
_BIAS = 0.0037930732552754493
_N_SCALES = 6
_C2 = 0.0009
_SIGMA = 1.5
_RADIUS = 5
# By plane, scale, norm (mean, fourth power) and term (similarity, artefacts, lost detail).
_WEIGHTS = np.array(
    [
        0,
        0.0007376606707406586,
        0,
        0,
        0.0007793481682867309,
        0,
        0,
        0.0004371155730107379,
        0,
        1.1041726426657346,
        0.00066284834129271,
        0.00015231632783718752,
        0,
        0.0016406437456599754,
        0,
        1.8422455520539298,
        11.441172603757666,
        0,
        0.0007989109436015163,
        0.000176816438078653,
        0,
        1.8787594979546387,
        10.94906990605142,
        0,
        0.0007289346991508072,
        0.9677937080626833,
        0,
        0.00014003424285435884,
        0.9981766977854967,
        0.00031949755934435053,
        0.0004550992113792063,
        0,
        0,
        0.0013648766163243398,
        0,
        0,
        0,
        0,
        0,
        7.466890328078848,
        0,
        17.445833984131262,
        0.0006235601634041466,
        0,
        0,
        6.683678146179332,
        0.00037724407979611296,
        1.027889937768264,
        225.20515300849274,
        0,
        0,
        19.213238186143016,
        0.0011401524586618361,
        0.001237755635509985,
        176.39317598450694,
        0,
        0,
        24.43300999870476,
        0.28520802612117757,
        0.0004485436923833408,
        0,
        0,
        0,
        34.77906344483772,
        44.835625328877896,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0.0008680556573291698,
        0,
        0,
        0,
        0,
        0,
        0.0005313191874358747,
        0,
        0.00016533814161379112,
        0,
        0,
        0,
        0,
        0,
        0.0004179171803251336,
        0.0017290828234722833,
        0,
        0.0020827005846636437,
        0,
        0,
        8.826982764996862,
        23.19243343998926,
        0,
        95.1080498811086,
        0.9863978034400682,
        0.9834382792465353,
        0.0012286405048278493,
        171.2667255897307,
        0.9807858872435379,
        0,
        0,
        0,
        0.0005130064588990679,
        0,
        0.00010854057858411537,
    ]
)


@dataclass(frozen=True, eq=False)
class _Scale:
    """One scale of a picture: its planes, their blurred means and blurred squares."""

    planes: Planes
    means: Planes
    squares: Planes


class Ssimulacra2:
    """Compares pictures with one original, whose scales are made once.

    ``original`` and the pictures are (h, w, 3) uint8 sRGB; those smaller than 8 x 8 pixels are repeated.

    >>> grey = np.full((16, 16, 3), 90, np.uint8)
    >>> Ssimulacra2(grey).score(grey)
    100.0
    """

    def __init__(self, original: NDArray[np.uint8]) -> None:
        self._scales = _scales(original)

    def score(self, picture: NDArray[np.uint8]) -> float:
        """The score of a picture of the original's size."""
        pairs = zip(self._scales, _scales(picture), strict=True)
        terms = np.stack([_terms(a, b) for a, b in pairs], axis=1).reshape(-1)
        # Pictures of fewer scales use the first weights of the list, as the original does.
        total = float((_WEIGHTS[: len(terms)] * terms).sum())
        x = total * 0.9562382616834844
        x = 2.326765642916932 * x - 0.020884521182843837 * x**2 + 6.248496625763138e-05 * x**3
        return 100.0 if x <= 0 else float(100.0 - 10.0 * x**0.6276336467831387)


def _scales(picture: NDArray[np.uint8]) -> list[_Scale]:
    light = linear_light(np.arange(256)).astype(np.float32)
    linear = np.ascontiguousarray(np.moveaxis(light[_large_enough(picture)], 2, 0))
    scales = []
    for number in range(_N_SCALES):
        if number:
            linear = _halved(linear)
        if min(linear.shape[1:]) < 8:
            break
        planes = _xyb(linear)
        scales.append(_Scale(planes, _blurred(planes), _blurred(planes * planes)))
    return scales


def _large_enough(picture: NDArray[Any]) -> NDArray[Any]:
    height, width = picture.shape[:2]
    times = (-(-8 // height), -(-8 // width), 1)
    return np.tile(picture, times) if max(times) > 1 else picture


def _halved(linear: Planes) -> Planes:
    """Means of 2 x 2 pixels; the last row and column stand for those that are missing."""
    _, height, width = linear.shape
    even = np.pad(linear, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    quarter = even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]
    return quarter * np.float32(0.25)


def _xyb(linear: Planes) -> Planes:
    mixed = np.tensordot(_OPSIN.astype(np.float32), linear, axes=1) + np.float32(_BIAS)
    roots = np.cbrt(np.maximum(mixed, 0)) - np.float32(np.cbrt(_BIAS))
    x, y = (roots[0] - roots[1]) / 2, (roots[0] + roots[1]) / 2
    return np.stack([x * 14 + np.float32(0.42), y + np.float32(0.01), roots[2] - y + np.float32(0.55)])


def _blurred(planes: Planes) -> Planes:
    """A Gaussian of 1.5 pixels; beyond the sides is zero, beyond top and bottom the mirrored picture."""
    offsets = np.arange(-_RADIUS, _RADIUS + 1)
    kernel = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    kernel /= kernel.sum()
    down = ndimage.correlate1d(planes, kernel, axis=1, mode="reflect")
    blurred: Planes = ndimage.correlate1d(down, kernel, axis=2, mode="constant")
    return blurred


def _terms(a: _Scale, b: _Scale) -> NDArray[np.float64]:
    """(3, 2, 3): similarity, artefacts and lost detail of every plane, by both norms."""
    m11, m22, m12 = a.means * a.means, b.means * b.means, a.means * b.means
    shared = _blurred(a.planes * b.planes)
    near = 1 - (a.means - b.means) ** 2
    unlike = 1 - near * (2 * (shared - m12) + _C2) / ((a.squares - m11) + (b.squares - m22) + _C2)
    edges = (1 + np.abs(b.planes - b.means)) / (1 + np.abs(a.planes - a.means)) - 1
    maps = (np.maximum(unlike, 0), np.maximum(edges, 0), np.maximum(-edges, 0))
    norms = [[one.mean(axis=(1, 2), dtype=np.float64) for one in maps]]
    norms.append([((one * one) ** 2).mean(axis=(1, 2), dtype=np.float64) ** 0.25 for one in maps])
    return np.array(norms).transpose(2, 0, 1)
