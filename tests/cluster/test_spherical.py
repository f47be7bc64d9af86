"""SphericalKMeans equals the oracle by cosines, and keeps KMeans's promises."""

from __future__ import annotations

import warnings
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

import reference
from instruction_sets import CPUS, running_on
from kmosaic import SphericalKMeans
from kmosaic.engines import unit_rows
from kmosaic.errors import DataError
from reference import Array

X = load_digits().data


def bits(model: SphericalKMeans) -> tuple[Any, ...]:
    centers, history = model.cluster_centers_.tobytes(), model.inertia_history_.tobytes()
    return model.labels_.tobytes(), centers, model.inertia_, history


def test_equals_the_oracle() -> None:
    weights = np.random.default_rng(0).uniform(0.5, 2, len(X))
    for dtype, weighted in product(["uint8", "float16", "float32", "float64"], [None, weights]):
        rows = X.astype(dtype)
        start = X[[0, 30, 60, 90, 700]]
        expected = reference.spherical(X, start, weighted)
        found = SphericalKMeans(5, init=start).fit(rows, sample_weight=weighted)
        assert (found.labels_ == expected.labels).all(), dtype
        assert found.n_iter_ == expected.n_iter
        assert found.converged_
        close = 1e-15 if dtype == "float64" else 1e-8
        assert found.inertia_ == pytest.approx(expected.inertia, rel=100 * close)
        assert found.cluster_centers_ == pytest.approx(expected.centers, abs=10 * close)
        assert np.linalg.norm(found.cluster_centers_, axis=1) == pytest.approx(1, abs=1e-15)
        assert (found.predict(rows) == found.labels_).all()
        assert found.score(rows, sample_weight=weighted) == -found.inertia_


def test_rows_of_one_direction_are_alike() -> None:
    random = np.random.default_rng(5)
    rows, lengths = random.normal(size=(300, 7)), 2.0 ** random.integers(-30, 30, 300)
    model = SphericalKMeans(6, random_state=1).fit(rows)
    assert bits(SphericalKMeans(6, random_state=1).fit(rows * lengths[:, None])) == bits(model)
    assert (model.predict(rows * 1e90) == model.labels_).all()
    assert (model.predict(rows * 1e-300) == model.labels_).all()
    tiny = SphericalKMeans(6, random_state=1).fit(rows * 2.0**-1000)
    assert bits(tiny) == bits(model)


@pytest.mark.filterwarnings("ignore:.*clusters have rows|X has only .* distinct rows")
@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["uint8", "uint16", "float32", "float64"]),
    st.sampled_from(["relocate", "random", "drop"]),
    st.booleans(),
)
def test_same_bits_and_j_never_rises(seed: int, dtype: str, empty_clusters: str, weighted: bool) -> None:
    random = np.random.default_rng(seed)
    n, d, k = random.integers(20, 120), random.integers(1, 40), random.integers(2, 12)
    rows = random.normal(0, 20, (n, d)) if dtype[0] == "f" else random.integers(1, 30, (n, d))
    weights = random.choice([0, 0.1, 1, 7.3], n, p=[0.1, 0.3, 0.3, 0.3]) if weighted else None
    model = SphericalKMeans(int(k), random_state=0, empty_clusters=empty_clusters, max_iter=60, n_threads=1)
    expected = bits(model.fit(rows.astype(dtype), sample_weight=weights))
    assert (np.diff(model.inertia_history_) <= 0).all()
    assert model.inertia_ == model.inertia_history_[-1] >= 0
    for cpu in CPUS:
        with running_on(cpu):
            again = model.set_params(n_threads=3).fit(rows.astype(dtype), sample_weight=weights)
            assert bits(again) == expected


def test_the_dtype_of_equal_values_makes_no_difference() -> None:
    fits = [
        bits(SphericalKMeans(9, random_state=0).fit(X.astype(dtype)))
        for dtype in ("uint8", "uint16", "float16", "float32")
    ]
    assert all(one == other for one, other in pairwise(fits))


def test_unit_rows_are_read_in_place() -> None:
    for dtype in ["float32", "float64"]:
        for n_features in (3, 64, 1200):
            rows = np.random.default_rng(0).normal(size=(500, n_features)).astype(dtype)
            once = unit_rows(rows)
            assert once is not rows
            assert unit_rows(once) is once
            assert np.linalg.norm(once, axis=1) == pytest.approx(1, abs=float(4 * np.finfo(dtype).eps))
            model = SphericalKMeans(3, random_state=0)
            assert np.shares_memory(model._rows(once, reset=True), once)


def test_j_is_half_the_squared_distances_up_to_the_rounding_of_lengths() -> None:
    """|u - c|^2 / 2 = (1 + a)(1 + b)(1 - cos) + (a - b)^2 / 2 of lengths 1 + a and 1 + b."""
    random = np.random.default_rng(0)
    centre = random.normal(size=50)
    close = centre + 1e-3 * random.normal(size=(200, 50))
    for dtype, relative in (("float32", 1e-5), ("float64", 1e-8)):
        model = SphericalKMeans(1).fit(close.astype(dtype))
        wide = close.astype(dtype).astype(np.longdouble)
        wide /= np.sqrt(np.square(wide).sum(axis=1, keepdims=True))
        mean = wide.sum(axis=0)
        mean /= np.sqrt(np.square(mean).sum())
        assert model.inertia_ == pytest.approx(float((1 - wide @ mean).sum()), rel=relative)


def test_transform_is_the_cosine_distance() -> None:
    model = SphericalKMeans(7, random_state=0).fit(X)
    expected = 1 - reference.unit(X) @ model.cluster_centers_.T
    assert model.transform(X) == pytest.approx(expected, abs=1e-14)
    assert (model.transform(X).argmin(axis=1) == model.labels_).all()


def test_fewer_directions_than_clusters_end_the_fit() -> None:
    directions = np.random.default_rng(1).normal(size=(3, 5))
    lengths = np.random.default_rng(0).uniform(1, 5, (12, 1))
    for dtype, empty_clusters in product(["float32", "float64"], ["relocate", "random", "drop"]):
        rows = (np.repeat(directions, 4, axis=0) * lengths).astype(dtype)
        start = np.concatenate([rows[[0, 4, 8]], -rows[[0, 4]]])
        model = SphericalKMeans(5, init=start, empty_clusters=empty_clusters, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(rows)
        assert model.converged_
        assert model.n_iter_ < 5
        assert (model.labels_ == np.repeat([0, 1, 2], 4)).all()
    with pytest.warns(ConvergenceWarning, match=r"only 3 of n_clusters=5.*rounding.*lower n_clusters to 3"):
        SphericalKMeans(5, init=start).fit(rows)


def test_rows_that_cancel_out_have_a_centre_all_the_same() -> None:
    rows = np.array([[0.0, 1.0], [0.0, -1.0]])
    model = SphericalKMeans(1).fit(rows)
    assert np.linalg.norm(model.cluster_centers_) == 1
    assert model.inertia_ == 2


def test_bad_input() -> None:
    rows = X.copy()
    rows[[17, 40]] = 0
    for use in (SphericalKMeans(3).fit, SphericalKMeans(3, random_state=0).fit(X).predict):
        with pytest.raises(DataError, match=r"row 17 .*zeros.*1 more.*leave"):
            use(rows)
    with pytest.raises(DataError, match="init.*zeros.*row 1"):
        SphericalKMeans(2, init=np.eye(2, 64) * [[1], [0]]).fit(X)
    with pytest.raises(ValueError, match="n_samples=8.*n_clusters=10"):
        SphericalKMeans(10).fit(X[:8])


def test_rows_and_centres_of_any_length() -> None:
    for magnitude in [1.0, 1e-200]:
        rows: Array = unit_rows(np.array([[3.0, 4.0], [-5.0, 12.0]]) * magnitude)
        assert rows == pytest.approx(np.array([[0.6, 0.8], [-5 / 13, 12 / 13]]), rel=1e-15)
