"""ISODATA: classes are split and merged, so that their number follows the scene.

G. H. Ball and D. J. Hall (1965), "ISODATA, a novel method of data analysis and pattern classification",
Stanford Research Institute, AD 699616.

What is done is in ``isodata``. Ball and Hall differ in this: they take one step of Lloyd's algorithm between
changes, where here it takes ten, and ends where no pixel changes its class; they drop the pixels of a class
that is too small, where here they go to the classes that are left; they split only classes that are also
wider than the average, and either split or merge by turns; they stop after so many rounds, where here splits
do, and the rest goes on until nothing is left to change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines import Engine, LloydOptions, LloydResult, lloyd
from kmosaic.errors import DataError

MAX_CLASSES = 255
"""No class is split where this would make more: the labels of a map fit a byte."""

# Lloyd's algorithm moves centres most in its first steps.
_FEW_STEPS = 10
# A split class's centres start this share of its deviation on either side of where it was.
_STEP = 0.5

Spreads = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""The mean squared deviation of the pixels of each class from its centre, band by band."""


@dataclass(frozen=True)
class IsodataOptions:
    """When classes are dissolved, split and merged.

    Parameters
    ----------
    min_size : int
        The fewest pixels of a class; at least 1.
    max_spread : float
        The largest deviation of a class in any one band, in scaled units; above 0.
    min_distance : float
        The least distance between the centres of two classes, in scaled units; 0 merges none.
    split_rounds : int
        After this number of rounds classes are only dissolved and merged.
    """

    min_size: int
    max_spread: float
    min_distance: float
    split_rounds: int = 20

    def __post_init__(self) -> None:
        if self.min_size < 1:
            raise DataError(f"a least size of {self.min_size} pixels: a class has 1 or more")
        if math.isnan(self.max_spread) or self.max_spread <= 0:
            raise DataError(f"a largest spread of {self.max_spread}: it must be above 0")
        if not 0 <= self.min_distance < math.inf:
            raise DataError(f"a least distance of {self.min_distance}: it must be 0 or above, and finite")

    def __str__(self) -> str:
        """As the command line has them."""
        return f"{self.min_size},{self.max_spread:g},{self.min_distance:g}"

    def for_share(self, share: float) -> IsodataOptions:
        """Return those for a sample of this share of all pixels: its classes are smaller."""
        return replace(self, min_size=max(1, round(self.min_size * share)))


@dataclass(frozen=True)
class IsodataRound:
    """Some steps of Lloyd's algorithm, and what was then done about the classes.

    ``n_steps`` is how many entries of the fit's history are its.
    """

    n_classes: int
    n_steps: int
    inertia: float
    dissolved: int = 0
    split: int = 0
    merged: int = 0


@dataclass(frozen=True, eq=False)
class IsodataResult:
    """The result of the last round, with the history and the number of iterations of all rounds.

    ``n_wide`` is how many classes were left that deviate by more than ``max_spread``, and are large enough to
    be split: what splitting them gave was dissolved or merged again.
    """

    last: LloydResult
    rounds: tuple[IsodataRound, ...]
    n_wide: int


@dataclass(frozen=True, eq=False)
class _Change:
    """Centres to go on from, and how many classes were dissolved, split, and merged into others."""

    centers: NDArray[np.float64]
    dissolved: int = 0
    split: int = 0
    merged: int = 0

    @property
    def any(self) -> bool:
        return self.dissolved + self.split + self.merged > 0


def isodata(
    engine: Engine,
    spreads: Spreads,
    centers: NDArray[np.float64],
    options: IsodataOptions,
    steps: LloydOptions,
) -> IsodataResult:
    """Run some steps of Lloyd's algorithm, change classes, and so on until nothing changes.

    After each round, where classes have fewer than ``min_size`` pixels, they are dissolved: the smallest
    first, at most half of all, and nothing else is done. Otherwise each class of at least twice ``min_size``
    pixels that deviates by more than ``max_spread`` in some band is split in two along the band in which it
    deviates most, half a deviation to either side; and of the others, those pairs whose centres lie nearer
    than ``min_distance`` are merged, the nearest first, each class once, into their common mean.

    A round takes ten steps; where it leaves nothing to change, as many as it takes to converge. Splits end
    after ``split_rounds`` or where they have led back to the same classes: what is left can only become
    fewer.

    Everything follows from exact sums, so the result is the same to the bit whatever the engine.
    """
    run = _Run(engine, spreads, options)
    states: set[bytes] = set()
    few = replace(steps, max_iter=min(_FEW_STEPS, steps.max_iter))
    while True:
        result, change = run.round(centers, few)
        if not change.any and not result.converged:
            result, change = run.round(result.centers, steps)
        if not change.any:
            return run.result(result)
        state = np.unique(result.centers, axis=0).tobytes()
        run.splits = run.splits and len(run.rounds) < options.split_rounds and state not in states
        states.add(state)
        centers = change.centers


class _Run:
    """The rounds of a fit; ``splits`` is whether classes are still split."""

    def __init__(self, engine: Engine, spreads: Spreads, options: IsodataOptions) -> None:
        self._engine = engine
        self._spreads = spreads
        self._options = options
        self.splits = True
        self.rounds: list[IsodataRound] = []
        self._histories: list[NDArray[np.float64]] = []
        self._n_iter = 0
        self._n_wide = 0

    def round(self, centers: NDArray[np.float64], steps: LloydOptions) -> tuple[LloydResult, _Change]:
        """Run the steps, and decide which classes to dissolve, split and merge."""
        result = lloyd(self._engine, centers, steps)
        change = self._change(result)
        self._n_iter += result.n_iter
        self._histories.append(result.history)
        n_classes, n_steps = len(result.centers), len(result.history)
        changes = change.dissolved, change.split, change.merged
        self.rounds.append(IsodataRound(n_classes, n_steps, result.inertia, *changes))
        return result, change

    def result(self, last: LloydResult) -> IsodataResult:
        """All rounds as one."""
        history = np.concatenate(self._histories)
        last = replace(last, n_iter=self._n_iter, history=history)
        return IsodataResult(last, tuple(self.rounds), self._n_wide)

    def _change(self, result: LloydResult) -> _Change:
        options = self._options
        kept = _large_enough(result.counts, options.min_size)
        if not kept.all():
            return _Change(np.ascontiguousarray(result.centers[kept]), dissolved=int((~kept).sum()))
        deviations = np.sqrt(self._spreads(result.centers))
        wide = _to_split(deviations, result.counts, options)
        self._n_wide = len(wide)
        split = wide[: max(0, MAX_CLASSES - len(result.counts))] if self.splits else []
        pairs = _to_merge(result.centers, split, options.min_distance)
        return _Change(_changed(result, deviations, split, pairs), split=len(split), merged=len(pairs))


def _large_enough(counts: NDArray[np.float64], min_size: int) -> NDArray[np.bool_]:
    """The classes to keep: all of at least ``min_size``, and at least half of all."""
    order = np.argsort(counts, kind="stable")[: len(counts) // 2]
    kept = np.ones(len(counts), bool)
    kept[order[counts[order] < min_size]] = False
    return kept


def _to_split(
    deviations: NDArray[np.float64], counts: NDArray[np.float64], options: IsodataOptions
) -> list[int]:
    """Classes that may be split, the widest first."""
    widest = deviations.max(axis=1)
    wide = (widest > options.max_spread) & (counts >= 2 * options.min_size)
    order = np.argsort(-widest, kind="stable")
    return [int(label) for label in order[wide[order]]]


def _to_merge(centers: NDArray[np.float64], split: list[int], min_distance: float) -> list[tuple[int, int]]:
    """Pairs of other classes, the nearest first, each class once."""
    squares = np.zeros((len(centers), len(centers)))
    for band in centers.T:
        squares += np.square(band[:, None] - band)
    first, second = np.triu_indices(len(centers), 1)
    near = squares[first, second] < min_distance**2
    first, second = first[near], second[near]
    taken = set(split)
    pairs = []
    for place in np.argsort(squares[first, second], kind="stable"):
        pair = int(first[place]), int(second[place])
        if taken.isdisjoint(pair):
            taken.update(pair)
            pairs.append(pair)
    return pairs


def _changed(
    result: LloydResult, deviations: NDArray[np.float64], split: list[int], pairs: list[tuple[int, int]]
) -> NDArray[np.float64]:
    """Centres of the halves and of the merged classes, in the places of those they come from."""
    centers, counts = result.centers.copy(), result.counts
    for first, second in pairs:
        weighted = counts[first] * centers[first] + counts[second] * centers[second]
        centers[first] = weighted / (counts[first] + counts[second])
    halves = []
    for label in split:
        band = int(deviations[label].argmax())
        half = centers[label].copy()
        half[band] += _STEP * deviations[label, band]
        centers[label, band] -= _STEP * deviations[label, band]
        halves.append(half)
    kept = np.delete(centers, [second for _, second in pairs], axis=0)
    return np.concatenate([kept, *[half[None] for half in halves]])
