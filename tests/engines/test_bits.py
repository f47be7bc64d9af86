"""Over dtypes, shapes, threads, alignments and instruction sets: the same data give the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmosaic import KMeans, MiniBatchKMeans, _core
from reference import Array

pytestmark = pytest.mark.filterwarnings("ignore:X has only .* distinct rows")

CPUS = [name for name, supported in _core.cpu()["variants"].items() if supported]


@contextmanager
def running_on(cpu: str) -> Iterator[None]:
    _core.select_cpu(cpu)
    try:
        yield
    finally:
        _core.select_cpu("")


def bits(model: KMeans | MiniBatchKMeans) -> tuple[bytes, bytes, float, bytes]:
    history = model.inertia_history_.tobytes()
    return model.labels_.tobytes(), model.cluster_centers_.tobytes(), model.inertia_, history


@st.composite
def datasets(draw: st.DrawFn) -> tuple[Array, Array | None]:
    n, d = draw(st.integers(12, 90)), draw(st.integers(1, 20))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from(["uint8", "uint16", "float32", "float64"]))
    spread = draw(st.sampled_from([3, 40, 255]))
    X = random.integers(0, spread, (n, d)) if dtype[0] == "u" else random.normal(1000, spread, (n, d))
    weights = random.integers(0, 4, n) + random.uniform(0.1, 1, n) if draw(st.booleans()) else None
    return X.astype(dtype), weights


@settings(max_examples=40, deadline=None)
@given(datasets(), st.sampled_from(["k-means++", "random"]), st.sampled_from(["relocate", "random", "drop"]))
def test_kmeans(data: tuple[Array, Array | None], init: str, empty_clusters: str) -> None:
    X, weights = data
    model = KMeans(9, init=init, n_init=1, random_state=3, n_threads=1, empty_clusters=empty_clusters)
    expected = bits(model.fit(X, sample_weight=weights))
    for n_threads in (2, 3, 7):
        assert bits(model.set_params(n_threads=n_threads).fit(X, sample_weight=weights)) == expected
    padded = np.empty(X.size + 3, dtype=X.dtype)[3:].reshape(X.shape)
    padded[:] = X
    assert bits(model.fit(padded, sample_weight=weights)) == expected
    for cpu in CPUS:
        with running_on(cpu):
            assert bits(model.fit(X, sample_weight=weights)) == expected, cpu


@settings(max_examples=15, deadline=None)
@given(datasets())
def test_minibatch(data: tuple[Array, Array | None]) -> None:
    X, weights = data
    model = MiniBatchKMeans(5, batch_size=16, max_iter=4, random_state=3, n_threads=1)
    expected = bits(model.fit(X, sample_weight=weights))
    for cpu in CPUS:
        with running_on(cpu):
            assert bits(model.set_params(n_threads=3).fit(X, sample_weight=weights)) == expected, cpu


@settings(max_examples=25, deadline=None)
@given(datasets(), st.integers(0, 2**32))
def test_order_of_unweighted_integer_rows(data: tuple[Array, Array | None], seed: int) -> None:
    X, _ = data
    if X.dtype.kind != "u":
        return
    order = np.random.default_rng(seed).permutation(len(X))
    model = KMeans(6, random_state=1)
    first = model.fit(X)
    labels, centers = first.labels_, first.cluster_centers_
    shuffled = model.fit(X[order])
    assert (shuffled.cluster_centers_ == centers).all()
    assert (shuffled.labels_ == labels[order]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_order_of_unweighted_float_rows(dtype: str) -> None:
    random = np.random.default_rng(4)
    X = (random.normal(size=(400, 7)) * random.choice([1e-3, 1, 1e3], (400, 7))).astype(dtype)
    start, order = X[:9].astype(np.float64), random.permutation(400)
    first, shuffled = KMeans(9, init=start).fit(X), KMeans(9, init=start).fit(X[order])
    assert (shuffled.cluster_centers_ == first.cluster_centers_).all()
    assert (shuffled.labels_ == first.labels_[order]).all()


def test_the_same_values_in_another_dtype() -> None:
    X = np.random.default_rng(0).integers(0, 256, (300, 10))
    fits = [KMeans(12, random_state=2).fit(X.astype(t)) for t in ("uint8", "uint16", "float32", "float64")]
    assert len({bits(fit) for fit in fits}) == 1


@pytest.mark.parametrize("k", [10, 64])
def test_real_images(shared_data_mnist: Array, k: int) -> None:
    X = shared_data_mnist[:6000]  # enough to have sketches
    model = KMeans(k, random_state=0, max_iter=5, n_threads=1)
    expected = bits(model.fit(X))
    for cpu in CPUS:
        if cpu != "scalar":
            with running_on(cpu):
                assert bits(model.set_params(n_threads=3).fit(X)) == expected, cpu
