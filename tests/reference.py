"""A slow, obvious k-means to compare everything with: float64 brute force, fractions where it is close."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def exact_squared_distance(row: Array, centre: Array) -> Fraction:
    """|row - centre|^2 without any rounding."""
    return sum(
        ((Fraction(float(x)) - Fraction(float(c))) ** 2 for x, c in zip(row, centre, strict=True)),
        Fraction(0),
    )


_nearest: dict[tuple[object, ...], Array] = {}


def nearest(X: Array, centers: Array) -> Array:
    """The index of each row's nearest centre, ties to the lowest; fractions decide wherever it is close.

    Kept, since tests ask the same for every instruction set.
    """
    key = tuple((a.shape, a.dtype.str, blake2b(a.tobytes()).digest()) for a in (X, centers))
    if key not in _nearest:
        _nearest[key] = _find_nearest(X.astype(np.float64), centers)
        _nearest[key].setflags(write=False)
    return _nearest[key]


def _find_nearest(X: NDArray[np.float64], centers: Array) -> Array:
    labels = np.empty(len(X), dtype=np.int32)
    for i, row in enumerate(X):
        distances = np.square(row - centers).sum(axis=1)
        close = np.flatnonzero(distances <= distances.min() * (1 + 1e-9))
        exact = [exact_squared_distance(row, centers[j]) for j in close] if len(close) > 1 else [Fraction(0)]
        labels[i] = close[exact.index(min(exact))]
    return labels


def inertia(X: Array, centers: Array, labels: Array, weights: Array | None = None) -> float:
    """J, rounded once."""
    total = Fraction(0)
    for i, row in enumerate(X):
        weight = Fraction(1) if weights is None else Fraction(float(weights[i]))
        total += weight * exact_squared_distance(row, centers[labels[i]])
    return float(total)


def means(X: Array, labels: Array, centers: Array, weights: Array | None = None) -> Array:
    """Each cluster's weighted mean, rounded once; a cluster without weight keeps its centre."""
    moved = centers.copy()
    for j, mean in exact_means(X, labels, len(centers), weights).items():
        moved[j] = [float(value) for value in mean]
    return moved


def exact_means(
    X: Array, labels: Array, n_clusters: int, weights: Array | None = None
) -> dict[int, list[Fraction]]:
    """The weighted mean of each cluster that has weight, without rounding."""
    found = {}
    for j in range(n_clusters):
        rows = np.flatnonzero(labels == j)
        counts = [Fraction(1) if weights is None else Fraction(float(weights[i])) for i in rows]
        if sum(counts, Fraction(0)) == 0:
            continue
        total = sum(counts, Fraction(0))
        found[j] = [
            sum((w * Fraction(float(x)) for w, x in zip(counts, X[rows, f], strict=True)), Fraction(0))
            / total
            for f in range(X.shape[1])
        ]
    return found


@dataclass(frozen=True)
class Fit:
    """Where Lloyd's algorithm ended."""

    centers: Array
    labels: Array
    inertia: float
    n_iter: int


def lloyd(X: Array, centers: Array, weights: Array | None = None, max_iter: int = 300) -> Fit:
    """Assignment and update steps until no label changes. No cluster may lose all its rows."""
    labels = np.full(len(X), -1)
    for n_iter in range(1, max_iter + 1):
        assigned = nearest(X, centers)
        if (assigned == labels).all():
            return Fit(centers, labels, inertia(X, centers, labels, weights), n_iter)
        labels = assigned
        centers = means(X, labels, centers, weights)
    raise AssertionError(f"not converged in {max_iter} iterations")


def unit(rows: Array) -> Array:
    """Rows at unit length, in float64."""
    wide = rows.astype(np.float64)
    return wide / np.sqrt(np.square(wide).sum(axis=1, keepdims=True))


def spherical(X: Array, centers: Array, weights: Array | None = None, max_iter: int = 300) -> Fit:
    """Spherical k-means by cosines alone, until no label changes; ``inertia`` is the sum of 1 - cos."""
    directions, weight = unit(X), np.ones(len(X)) if weights is None else weights
    centers, labels = unit(centers), np.full(len(X), -1)
    for n_iter in range(1, max_iter + 1):
        assigned = (directions @ centers.T).argmax(axis=1)
        if (assigned == labels).all():
            cosines = (directions * centers[labels]).sum(axis=1)
            return Fit(centers, labels, float((weight * (1 - cosines)).sum()), n_iter)
        labels = assigned
        sums = np.array([weight[labels == j] @ directions[labels == j] for j in range(len(centers))])
        centers = unit(sums)
    raise AssertionError(f"not converged in {max_iter} iterations")


def leaf(tree: Any, row: Array) -> int:
    """The node without children that a row comes to, by fractions at every node."""
    node = 0
    while len(tree.children(node)):
        exact = [exact_squared_distance(row, tree.centers[child]) for child in tree.children(node)]
        node = tree.children(node)[exact.index(min(exact))]
    return node
