"""Clusters split in two, many at once: 2-means within each node of a growing tree.

M. Steinbach, G. Karypis, V. Kumar (2000), "A comparison of document clustering techniques", KDD Workshop on
Text Mining, section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kmosaic import _core
from kmosaic.engines.engine import Rows
from kmosaic.engines.factory import make_engine
from kmosaic.engines.lloyd import LloydOptions, lloyd
from kmosaic.engines.magnitude import times_two_to
from kmosaic.engines.summable import summable

# Values of the rows that are copied together: they stay in cache from one iteration to the next.
_VALUES_AT_A_TIME = 1 << 19
# A node of fewer rows is split sooner than an engine is made.
_MIN_ROWS_OF_ENGINE = 4096
_SHARES = 2.0**40
# Candidates for the second seed, of which the better one is taken: 2 + ln 2, as for k-means++.
_N_TRIALS = 2

Starts = Literal["k-means++", "random"] | Callable[[NDArray[Any]], NDArray[np.float64]]
"""How two centres are found: of a callable, (2, n_features) for the rows of one node."""


@dataclass(frozen=True)
class BisectionOptions:
    """How every node is split."""

    start: Starts
    n_init: int
    max_iter: int
    tol: float
    """A node's 2-means also ends once its centres' summed squared shift is no more than this times the mean
    variance of its rows' features."""
    seed: int


@dataclass(frozen=True)
class Halves:
    """What nodes were split into, in the units of scaled rows; the first axis is the nodes'.

    Those that are not ``done`` cannot be split: their rows are equal, or too close to tell apart.
    """

    done: NDArray[np.bool_]
    centers: NDArray[np.float64]
    """(n, 2, n_features)"""
    inertia: NDArray[np.float64]
    """(n, 2)"""
    weights: NDArray[np.float64]
    """(n, 2): the total weight of the rows of each half."""
    middle: NDArray[np.intp]
    """(n,): where in ``Bisector.order`` the second half begins."""
    n_iter: int
    converged: bool


class Bisector:
    """Splits nodes, which are slices of an order of the rows, in two.

    The order starts as the rows' hash order; a split sorts a node's slice by half, and keeps the hash order
    within each. Seeds depend on the rows and the node's key alone, and neither the nodes split together nor
    threads change a bit.
    """

    def __init__(
        self,
        rows: Rows,
        weights: NDArray[np.float64] | None,
        options: BisectionOptions,
        n_threads: int,
    ) -> None:
        self.n_threads = n_threads
        self._options = options
        self._weights = weights
        self._summable = summable(rows, weights, n_threads)
        self.order = order_of_values(self._summable.rows, weights, n_threads)

    @property
    def exponent(self) -> int:
        """Results are of rows times two to this power."""
        return self._summable.exponent

    def whole(self) -> tuple[NDArray[np.float64], float, float]:
        """The mean of all rows, (1, n_features), their J there and their weight."""
        rows = self._summable.rows
        labels = np.zeros(len(rows), np.int32)
        sums = self._sums(1, rows, self._weights, labels)
        center = sums.means(np.zeros((1, rows.shape[1])), self.n_threads)
        lot = _Lot(rows[self.order], weights_of(self._weights, self.order), np.array([0, len(rows)]))
        return center, float(_costs(lot, center, labels, self.n_threads)[0]), float(sums.counts[0])

    def split(
        self,
        starts: NDArray[np.intp],
        stops: NDArray[np.intp],
        keys: NDArray[np.uint64],
        inertia: NDArray[np.float64],
    ) -> Halves:
        """Split the nodes with these slices of the order, keys and J; no two may overlap."""
        cuts = _lots(stops - starts, _VALUES_AT_A_TIME // self._summable.rows.shape[1])
        parts = [self._split_lot(starts[cut], stops[cut], keys[cut], inertia[cut]) for cut in cuts]
        return Halves(
            np.concatenate([part.done for part in parts]),
            np.concatenate([part.centers for part in parts]),
            np.concatenate([part.inertia for part in parts]),
            np.concatenate([part.weights for part in parts]),
            np.concatenate([part.middle for part in parts]),
            max(part.n_iter for part in parts),
            all(part.converged for part in parts),
        )

    def _split_lot(
        self,
        starts: NDArray[np.intp],
        stops: NDArray[np.intp],
        keys: NDArray[np.uint64],
        inertia: NDArray[np.float64],
    ) -> Halves:
        sizes = stops - starts
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        places = np.repeat(starts - offsets[:-1], sizes) + np.arange(offsets[-1])
        taken = self.order[places]
        lot = _Lot(self._summable.rows[taken], weights_of(self._weights, taken), offsets)
        best = self._best(lot, keys, inertia)
        # Where a node is not split, all its rows are of the first half: the order stays.
        side = np.where(best.done[lot.node], best.labels % 2, 0)
        in_halves = np.argsort(2 * lot.node + side, kind="stable")
        self.order[places] = taken[in_halves]
        firsts = np.add.reduceat(side == 0, offsets[:-1], dtype=np.intp)
        return Halves(
            best.done,
            best.centers.reshape(len(starts), 2, -1),
            best.inertia.reshape(-1, 2),
            best.weights.reshape(-1, 2),
            starts + firsts,
            best.n_iter,
            best.converged,
        )

    def _best(self, lot: _Lot, keys: NDArray[np.uint64], inertia: NDArray[np.float64]) -> _Fit:
        """The best of n_init starts, node by node."""
        variance = inertia / (lot.weight_of_nodes() * lot.rows.shape[1])
        best: _Fit | None = None
        for trial in range(self._options.n_init):
            fit = self._lloyd(lot, _mixed(keys, trial), variance)
            best = fit if best is None else best.better(fit, lot.node)
        assert best is not None
        return best

    def _lloyd(self, lot: _Lot, keys: NDArray[np.uint64], variance: NDArray[np.float64]) -> _Fit:
        """2-means of every node, all in step; nodes in which no label changes any more are left out."""
        centers, possible = self._starting(lot, keys)
        if len(possible) == 1 and possible[0] and len(lot.rows) >= _MIN_ROWS_OF_ENGINE:
            return self._by_engine(lot, centers, float(variance[0]))
        labels = np.full(len(lot.rows), -1, np.int32)
        active, settled, n_iter = possible.copy(), ~possible, 0
        while active.any() and n_iter < self._options.max_iter:
            n_iter += 1
            active, done = self._iterate(lot, active, centers, labels, variance)
            settled |= done
        if self._options.tol > 0 or not settled.all():  # the last update moved centres: labels must be theirs
            self._step(lot.only(possible), centers, labels)
        labels[~possible[lot.node]] = 2 * lot.node[~possible[lot.node]]
        return self._finished(lot, centers, labels, possible, n_iter, bool(settled.all()))

    def _iterate(
        self,
        lot: _Lot,
        active: NDArray[np.bool_],
        centers: NDArray[np.float64],
        labels: NDArray[np.int32],
        variance: NDArray[np.float64],
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """One step of the active nodes; return which go on, and which are done."""
        some = lot.only(active)
        moved = self._step(some, centers, labels) & active
        before = centers.copy() if self._options.tol > 0 else centers
        self._update(some, active, centers, labels)
        if self._options.tol > 0:
            shift = np.square(centers - before).sum(axis=1).reshape(-1, 2).sum(axis=1)
            moved &= ~(shift <= self._options.tol * variance)
        return moved, active & ~moved

    def _by_engine(self, lot: _Lot, centers: NDArray[np.float64], variance: float) -> _Fit:
        """The same of one node of many rows, in the same bits: an engine's bounds pay there."""
        engine = make_engine(lot.rows, lot.weights, self.n_threads, steps_expected=self._options.max_iter + 1)
        options = LloydOptions(
            self._options.max_iter,
            self._options.tol * variance,
            "relocate",
            np.random.RandomState(0),
            lambda *_: None,
        )
        found = lloyd(engine, centers, options)
        return self._finished(
            lot, found.centers, found.labels, np.array([True]), found.n_iter, found.converged
        )

    def _step(
        self, some: _Part, centers: NDArray[np.float64], labels: NDArray[np.int32]
    ) -> NDArray[np.bool_]:
        """Assign the rows of some nodes; return in which nodes labels changed."""
        own = labels[some.rows_taken]
        before = own.copy()
        first = 2 * some.node
        _core.nearest_within(some.rows, centers, first, np.full(len(first), 2, np.int32), own, self.n_threads)
        labels[some.rows_taken] = own
        changed = np.zeros(len(centers) // 2, bool)
        changed[some.node[own != before]] = True
        return changed

    def _update(
        self,
        some: _Part,
        active: NDArray[np.bool_],
        centers: NDArray[np.float64],
        labels: NDArray[np.int32],
    ) -> None:
        """Move the active nodes' centres, in place, to their rows' means."""
        moving = np.repeat(active, 2)
        own = labels[some.rows_taken]
        sums = self._sums(len(centers), some.rows, some.weights, own)
        empty = np.flatnonzero((sums.counts == 0) & moving)
        for half in empty:  # of given centres: those that are drawn have rows, and keep some
            own = self._refilled(some, centers, own, int(half))
        if len(empty):
            labels[some.rows_taken] = own
            sums = self._sums(len(centers), some.rows, some.weights, own)
        centers[moving] = sums.means(centers, self.n_threads)[moving]

    def _refilled(
        self, some: _Part, centers: NDArray[np.float64], own: NDArray[np.int32], half: int
    ) -> NDArray[np.int32]:
        """Labels by which a half without weight has the row of its node that costs most, if one costs."""
        costs = _core.own_squared_distances(some.rows, centers, own, self.n_threads)
        costs = np.where(some.node == half // 2, costs if some.weights is None else costs * some.weights, 0)
        own = own.copy()
        if costs.max() > 0:
            own[costs.argmax()] = half
        return own

    def _finished(
        self,
        lot: _Lot,
        centers: NDArray[np.float64],
        labels: NDArray[np.int32],
        possible: NDArray[np.bool_],
        n_iter: int,
        converged: bool,
    ) -> _Fit:
        counts = _totals(labels, lot.weights, len(centers))
        done = possible & (counts.reshape(-1, 2) > 0).all(axis=1)
        return _Fit(
            done, centers, _costs(lot, centers, labels, self.n_threads), counts, labels, n_iter, converged
        )

    def _sums(
        self, n: int, rows: Rows, weights: NDArray[np.float64] | None, labels: NDArray[np.int32]
    ) -> _core.ClusterSums:
        sums = self._summable.empty(n)
        sums.add(rows, weights, labels, self.n_threads)
        return sums

    def _starting(self, lot: _Lot, keys: NDArray[np.uint64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Two centres a node, (2 n, n_features), and which nodes have unlike rows."""
        weights = np.ones(len(lot.rows)) if lot.weights is None else lot.weights
        first = lot.rows[_drawn(weights, lot.offsets, _uniform(keys, 0))].astype(np.float64)
        near = self._distances(lot, first)
        possible = np.add.reduceat(near * weights, lot.offsets[:-1]) > 0
        if callable(self._options.start):
            return self._given(lot, possible, self._options.start), possible
        if self._options.start == "random":
            second = _drawn(weights * (near > 0), lot.offsets, _uniform(keys, 1))
        else:
            second = self._farther(lot, near, weights, keys)
        return np.stack([first, lot.rows[second]], axis=1).reshape(2 * len(first), -1), possible

    def _farther(
        self, lot: _Lot, near: NDArray[np.float64], weights: NDArray[np.float64], keys: NDArray[np.uint64]
    ) -> NDArray[np.intp]:
        """A second row for each node: the better of two drawn in proportion to their cost."""
        best, least = np.zeros(len(keys), np.intp), np.full(len(keys), np.inf)
        for trial in range(_N_TRIALS):
            drawn = _drawn(weights * near, lot.offsets, _uniform(keys, 1 + trial))
            with_it = np.minimum(near, self._distances(lot, lot.rows[drawn].astype(np.float64)))
            potential = np.add.reduceat(weights * with_it, lot.offsets[:-1])
            best = np.where(potential < least, drawn, best)
            least = np.minimum(potential, least)
        return best

    def _distances(self, lot: _Lot, centers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each row's squared distance to its node's one centre."""
        return _core.own_squared_distances(lot.rows, centers, lot.node, self.n_threads)

    def _given(
        self, lot: _Lot, possible: NDArray[np.bool_], start: Callable[[NDArray[Any]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        centers = np.zeros((2 * len(possible), lot.rows.shape[1]))
        for node in np.flatnonzero(possible):
            rows = lot.rows[lot.offsets[node] : lot.offsets[node + 1]]
            given = start(np.ldexp(rows, -self.exponent) if self.exponent else rows)
            centers[2 * node : 2 * node + 2] = times_two_to(given, self.exponent)
        return centers


@dataclass(frozen=True)
class _Fit:
    """2-means of the nodes of a lot: of each two halves, one after the other."""

    done: NDArray[np.bool_]
    centers: NDArray[np.float64]
    inertia: NDArray[np.float64]
    weights: NDArray[np.float64]
    labels: NDArray[np.int32]
    n_iter: int
    converged: bool

    def better(self, other: _Fit, node: NDArray[np.int32]) -> _Fit:
        """The better one of two, node by node; of equal ones this one."""
        mine, theirs = (fit.inertia.reshape(-1, 2).sum(axis=1) for fit in (self, other))
        change = other.done & (~self.done | (theirs < mine))
        twice = np.repeat(change, 2)
        return _Fit(
            self.done | other.done,
            np.where(twice[:, None], other.centers, self.centers),
            np.where(twice, other.inertia, self.inertia),
            np.where(twice, other.weights, self.weights),
            np.where(change[node], other.labels, self.labels),
            max(self.n_iter, other.n_iter),
            self.converged and other.converged,
        )


@dataclass(frozen=True)
class _Part:
    """The rows of some nodes of a lot, and where they are among all of its rows."""

    rows: Rows
    weights: NDArray[np.float64] | None
    node: NDArray[np.int32]
    rows_taken: slice | NDArray[np.intp]
    nodes: NDArray[np.bool_]


class _Lot:
    """The rows of nodes that are split together, node after node."""

    def __init__(self, rows: Rows, weights: NDArray[np.float64] | None, offsets: NDArray[np.intp]) -> None:
        self.rows = rows
        self.weights = weights
        self.offsets = offsets
        self.node = np.repeat(np.arange(len(offsets) - 1, dtype=np.int32), np.diff(offsets))
        self._part = _Part(rows, weights, self.node, slice(None), np.ones(len(offsets) - 1, bool))

    def weight_of_nodes(self) -> NDArray[np.float64]:
        weights = np.ones(len(self.rows)) if self.weights is None else self.weights
        return np.add.reduceat(weights, self.offsets[:-1])

    def only(self, nodes: NDArray[np.bool_]) -> _Part:
        """The rows of these nodes, or of more: they are copied once they are less than half of those left."""
        part = self._part
        if not (nodes & ~part.nodes).any():
            wanted = nodes[part.node]
            if 2 * np.count_nonzero(wanted) >= len(wanted):
                return part
        return self._narrowed(nodes)

    def _narrowed(self, nodes: NDArray[np.bool_]) -> _Part:
        taken = np.flatnonzero(nodes[self.node])
        if len(taken) == len(self.node):
            self._part = _Part(self.rows, self.weights, self.node, slice(None), nodes)
        else:
            weights = weights_of(self.weights, taken)
            self._part = _Part(self.rows[taken], weights, self.node[taken], taken, nodes)
        return self._part


def order_of_values(rows: Rows, weights: NDArray[np.float64] | None, n_threads: int) -> NDArray[np.intp]:
    """The rows' hash order, equal rows in the order of their weights: no matter where they stood."""
    order, starts = (np.asarray(each) for each in _core.hash_order(rows, n_threads))
    if weights is None:
        return order
    run = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(order)))
    return order[np.lexsort((weights[order], run))]


def _lots(sizes: NDArray[np.intp], most: int) -> list[slice]:
    """Consecutive nodes together, with no more rows than ``most``; those for an engine are alone."""
    cuts, start, total = [], 0, 0
    for number, size in enumerate(sizes.tolist()):
        alone = size >= _MIN_ROWS_OF_ENGINE
        if number > start and (alone or total + size > most):
            cuts.append(slice(start, number))
            start, total = number, 0
        total += most if alone else size
    return [*cuts, slice(start, len(sizes))]


def weights_of(weights: NDArray[np.float64] | None, rows: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """The weights of these rows, where rows have any."""
    return None if weights is None else weights[rows]


def _costs(
    lot: _Lot, centers: NDArray[np.float64], labels: NDArray[np.int32], n_threads: int
) -> NDArray[np.float64]:
    """What each centre's rows cost, added in the order they lie in."""
    return _totals(
        labels,
        _weighted(_core.own_squared_distances(lot.rows, centers, labels, n_threads), lot),
        len(centers),
    )


def _weighted(values: NDArray[np.float64], lot: _Lot) -> NDArray[np.float64]:
    return values if lot.weights is None else values * lot.weights


def _totals(labels: NDArray[np.int32], values: NDArray[np.float64] | None, n: int) -> NDArray[np.float64]:
    """The sum of the values of each label; without values, how often it occurs."""
    return np.bincount(labels, values, n).astype(np.float64)


def _drawn(
    values: NDArray[np.float64], offsets: NDArray[np.intp], numbers: NDArray[np.float64]
) -> NDArray[np.intp]:
    """In each segment a place drawn in proportion to its value, by a number from 0 to below 1.

    Shares are whole numbers of 2^-40, so that sums over the segments before do not round.
    """
    totals = np.add.reduceat(values, offsets[:-1])
    shares = values / np.repeat(np.where(totals > 0, totals, 1), np.diff(offsets))
    ends = np.cumsum((shares * _SHARES).astype(np.int64))
    before = np.concatenate([[0], ends])[offsets[:-1]]
    wanted = before + (numbers * (ends[offsets[1:] - 1] - before)).astype(np.int64)
    places = np.searchsorted(ends, wanted, side="right")
    found: NDArray[np.intp] = np.minimum(places, offsets[1:] - 1)
    return found


def child_keys(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The keys of both children of nodes, (n, 2)."""
    return np.stack([_mixed(keys, 1 << 32), _mixed(keys, 2 << 32)], axis=1)


def root_key(seed: int) -> NDArray[np.uint64]:
    """The key of the root, (1,)."""
    return _mixed(np.array([seed], np.uint64), 3 << 32)


def _uniform(keys: NDArray[np.uint64], stream: int) -> NDArray[np.float64]:
    """Numbers from 0 to below 1, one a key and stream."""
    return (_mixed(keys, (4 << 32) + stream) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(keys: NDArray[np.uint64], stream: int) -> NDArray[np.uint64]:
    """Keys mixed with a number, by SplitMix64 (Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = keys + np.uint64(0x9E3779B97F4A7C15) * np.uint64(stream + 1)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
