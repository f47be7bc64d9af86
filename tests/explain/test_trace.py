"""Half-steps are those of one KMeans fit, to the bit."""

from __future__ import annotations

import itertools
from itertools import product

import numpy as np
import pytest

import reference
from kmosaic import KMeans
from kmosaic.explain import trace


def test_steps_lead_where_one_fit_leads():
    for policy, seed in product(["relocate", "random", "drop"], range(8)):
        random = np.random.default_rng(seed)
        k = int(random.integers(2, 8))
        X = random.normal(size=(90, 2))
        start = X[random.choice(90, k, replace=False)]
        if seed % 2:
            start[0] = [40.0, 40.0]  # loses every point at once
        steps = trace(X, start, empty_clusters=policy, seed=seed).steps
        model = KMeans(k, init=start, empty_clusters=policy, random_state=seed).fit(X)

        assert [step.inertia for step in steps[1:]] == model.inertia_history_.tolist()
        assert steps[-1].centers.tolist() == model.cluster_centers_.tolist()
        assert steps[-1].labels.tolist() == model.labels_.tolist()
        assert [step.kind for step in steps] == ["start", *(["assign", "update"] * model.n_iter_)[:-1]]


def test_every_half_step_is_what_it_is_called():
    for seed in range(4):
        random = np.random.default_rng(seed)
        X = random.normal(size=(60, 2))
        steps = trace(X, X[:4]).steps

        for before, step in itertools.pairwise(steps):
            if step.kind == "assign":
                assert step.centers is before.centers
                assert step.labels.tolist() == reference.nearest(X, step.centers).tolist()
            else:
                assert step.labels.tolist() == before.labels.tolist()
                assert step.centers.tolist() == reference.means(X, step.labels, before.centers).tolist()
            assert step.inertia == pytest.approx(reference.inertia(X, step.centers, step.labels), rel=1e-12)


def test_a_dropped_cluster_leaves_the_numbers_of_the_others():
    X = np.random.default_rng(0).normal(size=(50, 2))
    start = np.vstack([X[:1], [[50.0, 50.0]], X[1:3]])
    steps = trace(X, start, empty_clusters="drop").steps

    assert steps[1].ids == (0, 1, 2, 3)
    assert steps[2].ids == (0, 2, 3)
    assert len(steps[2].centers) == 3


def test_a_filled_cluster_is_founded_by_the_costliest_point():
    X = np.random.default_rng(0).normal(size=(50, 2))
    start = np.vstack([X[:2], [[50.0, 50.0]]])
    steps = trace(X, start).steps
    costs = np.square(X - start[steps[1].labels]).sum(axis=1)

    assert steps[2].filled == (2,)
    assert steps[2].centers[2].tolist() == X[costs.argmax()].tolist()
    assert np.flatnonzero(steps[2].labels == 2).tolist() == [costs.argmax()]
    assert steps[3].filled == ()
