"""Groups of alike clusters, against merging by the definition of Ward's criterion."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kmosaic.evaluate import cluster_groups


def inertia(centers: np.ndarray, sizes: np.ndarray, group: list[int]) -> float:
    """What the rows of a group's clusters add to the inertia, as one cluster, beyond their own clusters'."""
    mean = np.average(centers[group], axis=0, weights=sizes[group])
    return float(sizes[group] @ np.square(centers[group] - mean).sum(axis=1))


def merged_by_definition(centers: np.ndarray, sizes: np.ndarray, n_groups: int) -> set[frozenset[int]]:
    groups = [[cluster] for cluster in range(len(centers))]
    while len(groups) > n_groups:
        pairs = itertools.combinations(groups, 2)
        before = {id(group): inertia(centers, sizes, group) for group in groups}
        a, b = min(
            pairs, key=lambda p: inertia(centers, sizes, p[0] + p[1]) - before[id(p[0])] - before[id(p[1])]
        )
        groups = [group for group in groups if group is not a and group is not b] + [a + b]
    return set(map(frozenset, groups))


def test_groups_are_those_of_wards_criterion_weighted_by_sizes():
    rng = np.random.default_rng(0)
    unlike = np.concatenate([rng.integers(1, 4, 15), rng.integers(500, 900, 10)])
    for sizes in (np.ones(25, int), unlike, np.where(np.arange(25) % 5 == 0, 0, unlike)):
        centers = rng.normal(size=(25, 3)) * [5, 1, 1] + 1e4
        for n_groups in (1, 2, 7, 24, 25):
            groups = cluster_groups(centers, sizes, n_groups)
            assert set(map(frozenset, groups)) == merged_by_definition(
                centers, np.maximum(sizes, 1), n_groups
            )
            assert sorted(itertools.chain(*groups)) == list(range(25))


def test_alike_groups_are_beside_each_other():
    places = np.array([0.0, 50, 51, 1, 100, 101, 52, 2])[:, np.newaxis]
    order = [set(group) for group in cluster_groups(places, np.ones(8), 4)]
    assert abs(order.index({4, 5}) - order.index({0, 3, 7})) > 1  # with what is between them there
    with pytest.raises(ValueError, match="n_groups=9"):
        cluster_groups(places, np.ones(8), 9)
