"""Groups of duplicates: every member within a limit of the group's centre, so that none are chains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmosaic.images.collection import Progress

# A member that is linked to another, and not to the centre, may be so many times the limit from the centre.
_DIAMETER = 1.5

Pairs = NDArray[np.int32]
Measure = Callable[[Pairs, NDArray[np.bool_]], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Stars:
    """Which group each image is in: ``centres`` int32 (n,) the row of its centre, -1 where it is in none.

    ``distances`` float32 (n,) are those from the centre; ``mirrored`` says of which images the mirrored
    picture is meant.
    """

    centres: NDArray[np.int32]
    distances: NDArray[np.float32]
    mirrored: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of images that may be duplicates: (n_pairs, 2), and which of them mirrored."""

    pairs: Pairs
    mirrored: NDArray[np.bool_]

    def __getitem__(self, chosen: NDArray[np.generic]) -> Candidates:
        return Candidates(self.pairs[chosen], self.mirrored[chosen])

    def __len__(self) -> int:
        return len(self.pairs)


def group(
    n: int, candidates: Candidates, measure: Measure, limit: float, progress: Progress | None = None
) -> Stars:
    """Return groups of the ``n`` images between which ``measure`` finds distances of at most ``limit``.

    The image with the most candidates, in a tie the first, is a centre, and takes those within the limit of
    it; then the image with the most candidates that are left, and so on. Centres with no candidate in common
    are measured together (Luby, 1986). At last, an image left alone joins a group where it is within the
    limit of a member and within 1.5 limits of the centre. So a pair is measured once at most, and in a group
    of m images m - 1 are.
    """
    stars = Stars(np.full(n, -1, np.int32), np.zeros(n, np.float32), np.zeros(n, bool))
    left, total = candidates, len(candidates)
    while len(left):
        ends = _centre_ends(n, left.pairs)
        chosen = left[ends >= 0]
        first_is_centre = ends[ends >= 0] == 0
        centre = np.where(first_is_centre, chosen.pairs[:, 0], chosen.pairs[:, 1])
        member = np.where(first_is_centre, chosen.pairs[:, 1], chosen.pairs[:, 0])
        distances = measure(chosen.pairs, chosen.mirrored)
        order = np.lexsort((centre, distances, member))
        order = order[distances[order] <= limit]
        order = order[np.unique(member[order], return_index=True)[1]]
        stars.centres[member[order]] = centre[order]
        stars.distances[member[order]] = distances[order]
        stars.mirrored[member[order]] = chosen.mirrored[order]
        stars.centres[centre[order]] = centre[order]
        left = left[(ends < 0) & (stars.centres[left.pairs] < 0).all(axis=1)]
        if progress is not None:
            progress(total - len(left), total, "comparing images")
    _join_left(stars, candidates, measure, limit)
    return stars


def _centre_ends(n: int, pairs: Pairs) -> NDArray[np.int8]:
    """For each pair which end is a centre, 0 or 1, or -1: it has more candidates than each of its own has."""
    degrees = np.bincount(pairs.ravel(), minlength=n).astype(np.int64)
    keys = degrees * n + np.arange(n - 1, -1, -1)
    largest = np.zeros(n, np.int64)
    np.maximum.at(largest, pairs[:, 0], keys[pairs[:, 1]])
    np.maximum.at(largest, pairs[:, 1], keys[pairs[:, 0]])
    is_centre = (keys > largest) & (degrees > 0)
    return np.where(is_centre[pairs[:, 0]], 0, np.where(is_centre[pairs[:, 1]], 1, -1)).astype(np.int8)


def _join_left(stars: Stars, candidates: Candidates, measure: Measure, limit: float) -> None:
    """Join images that are in no group to groups that they are linked to and near the centre of."""
    grouped = stars.centres[candidates.pairs] >= 0
    one = candidates[grouped.sum(axis=1) == 1]
    one_grouped = grouped[grouped.sum(axis=1) == 1]
    if not len(one):
        return
    alone = np.where(one_grouped[:, 0], one.pairs[:, 1], one.pairs[:, 0])
    member = np.where(one_grouped[:, 0], one.pairs[:, 0], one.pairs[:, 1])
    centre = stars.centres[member]
    mirrored = one.mirrored ^ stars.mirrored[member]
    far = measure(np.stack([alone, centre], axis=1), mirrored)
    near = np.flatnonzero(far <= _DIAMETER * limit)
    near = near[measure(one.pairs[near], one.mirrored[near]) <= limit]
    near = near[np.lexsort((centre[near], far[near], alone[near]))]
    near = near[np.unique(alone[near], return_index=True)[1]]
    stars.centres[alone[near]] = centre[near]
    stars.distances[alone[near]] = far[near]
    stars.mirrored[alone[near]] = mirrored[near]
