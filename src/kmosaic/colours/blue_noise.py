"""Dithering by blue noise: each pixel takes one of two palette colours, by a threshold that its place has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines.colour_points import Points, nearest_in_palette

_SIDE = 64
_N = _SIDE * _SIDE
_SIGMA = 1.5
_SCALE = 1 << 20
_N_PARTNERS = 12
_BLOCK = 1 << 16
# What a pair far apart costs: its pattern is seen.
_PATTERN_COST = 0.25


@cache
def blue_noise_mask() -> NDArray[np.uint16]:
    """(64, 64) ranks 0..4095 whose thresholds give patterns without clumps; it tiles the plane.

    R. Ulichney (1993), "The void-and-cluster method for dither array generation", SPIE 1913. The energies are
    whole numbers, so that every machine makes the same mask.
    """
    pattern = _spread_out(_Pattern.drawn())
    ranks = np.zeros(_N, np.uint16)
    fewer, more = pattern.copy(), pattern
    n_on = int(pattern.on.sum())
    for rank in range(n_on - 1, -1, -1):
        ranks[fewer.clear_tightest()] = rank
    for rank in range(n_on, _N):
        ranks[more.fill_emptiest()] = rank
    return ranks.reshape(_SIDE, _SIDE)


def _spread_out(pattern: _Pattern) -> _Pattern:
    """Move the tightest cluster into the largest void until that is where it came from."""
    while pattern.clear_tightest() != pattern.fill_emptiest():
        pass
    return pattern


@dataclass(eq=False)
class _Pattern:
    """Which places are on, (4096,) bool, and the energy they spread, (4096,) int64."""

    on: NDArray[np.bool_]
    field: NDArray[np.int64]

    @classmethod
    def drawn(cls) -> _Pattern:
        """A tenth of the places, at random."""
        on = np.zeros(_N, bool)
        on[np.random.RandomState(1).permutation(_N)[: _N // 10]] = True
        return cls(on, np.sum([_energy_around(int(place)) for place in np.flatnonzero(on)], axis=0))

    def copy(self) -> _Pattern:
        return _Pattern(self.on.copy(), self.field.copy())

    def clear_tightest(self) -> int:
        place = int(np.where(self.on, self.field, -1).argmax())
        self.on[place] = False
        self.field -= _energy_around(place)
        return place

    def fill_emptiest(self) -> int:
        place = int(np.where(self.on, np.iinfo(np.int64).max, self.field).argmin())
        self.on[place] = True
        self.field += _energy_around(place)
        return place


def _energy_around(place: int) -> NDArray[np.int64]:
    y, x = divmod(place, _SIDE)
    return _energies()[_SIDE - y : 2 * _SIDE - y, _SIDE - x : 2 * _SIDE - x].reshape(-1)


@cache
def _energies() -> NDArray[np.int64]:
    """(128, 128): a Gaussian around every corner of four tiles, as whole numbers."""
    offsets = np.minimum(np.arange(_SIDE), _SIDE - np.arange(_SIDE)) ** 2
    energy = np.rint(_SCALE * np.exp(-(offsets[:, None] + offsets[None, :]) / (2 * _SIGMA**2)))
    return np.tile(energy.astype(np.int64), (2, 2))


def thresholds(height: int, width: int) -> NDArray[np.uint16]:
    """The mask repeated over a picture."""
    times = (-(-height // _SIDE), -(-width // _SIDE))
    return np.tile(blue_noise_mask(), times)[:height, :width]


def partners(
    points: Points, palette: Points, strength: float, n_threads: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16]]:
    """For each point its nearest colour, another one, and below which rank of the mask that one is taken."""
    nearest = nearest_in_palette(points, palette, n_threads)
    other = nearest.copy()
    limit = np.zeros(len(points), np.uint16)
    if len(palette) == 1:
        return nearest, other, limit
    colours = palette.astype(np.float64)
    squares = ((colours[:, None] - colours) ** 2).sum(axis=2)
    close = np.argsort(squares, axis=1, kind="stable")[:, 1 : 1 + _N_PARTNERS]
    for start in range(0, len(points), _BLOCK):
        own = slice(start, start + _BLOCK)
        chosen, share = _best_pair(points[own].astype(np.float64), nearest[own], colours, close)
        other[own] = chosen
        limit[own] = np.rint(share * strength * _SIDE * _SIDE)
    return nearest, other, limit


def _best_pair(
    points: NDArray[np.float64],
    nearest: NDArray[np.uint8],
    colours: NDArray[np.float64],
    close: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The partner whose mixture with the nearest colour comes closest; its share of it, at most a half."""
    rows = np.arange(len(points))
    base = colours[nearest]
    least = np.full(len(points), np.inf)
    chosen = np.zeros(len(points), np.int64)
    share = np.zeros(len(points))
    for column in range(close.shape[1]):
        partner = close[nearest, column]
        way = colours[partner] - base
        length = np.maximum(_dot(way, way), 1)
        part = np.clip(_dot(points - base, way) / length, 0, 0.5)
        missed = points - base - part[:, None] * way
        cost = _dot(missed, missed) + _PATTERN_COST * part * (1 - part) * length
        better = cost < least
        least[better], chosen[better], share[better] = cost[better], partner[better], part[better]
    return chosen[rows], share


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    total = a[:, 0] * b[:, 0]  # in a fixed order: the same bits everywhere
    for feature in range(1, a.shape[1]):
        total = total + a[:, feature] * b[:, feature]
    return total
