"""Over dtypes, shapes, threads, alignments and instruction sets: the same data give the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instruction_sets import CPUS, running_on
from kmosaic import KMeans, MiniBatchKMeans
from reference import Array

pytestmark = pytest.mark.filterwarnings("ignore:X has only .* distinct rows")


def bits(model: KMeans | MiniBatchKMeans) -> tuple[bytes, bytes, float, bytes]:
    history = model.inertia_history_.tobytes()
    return model.labels_.tobytes(), model.cluster_centers_.tobytes(), model.inertia_, history


@st.composite
def datasets(draw: st.DrawFn) -> tuple[Array, Array | None]:
    n, d = draw(st.integers(12, 90)), draw(st.integers(1, 20))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from(["uint8", "int8", "uint16", "int16", "float16", "float32", "float64"]))
    spread = draw(st.sampled_from([3, 40, 255]))
    least = {"int8": -(spread // 2), "int16": -100 * spread}.get(dtype, 0)
    X = (
        random.normal(1000, spread, (n, d))
        if dtype[0] == "f"
        else random.integers(least, least + spread, (n, d))
    )
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
            assert bits(model.fit(X, sample_weight=weights)) == expected


def of_low_precision(name: str, n: int, d: int) -> Array:
    """Rows round thirty centres, of an integer or a float of at most 16 bits."""
    random = np.random.default_rng(n + d)
    X = random.normal(size=(30, d))[random.integers(0, 30, n)] * 40 + random.normal(size=(n, d)) * 9
    if name == "bool":
        return X > 0
    if name.startswith("bfloat"):
        return X.astype(pytest.importorskip("ml_dtypes").bfloat16)
    if name == "float16":  # and numbers below its normal ones, which count as what they are
        return np.where(np.abs(X) < 3, X * 1e-5, X).astype(np.float16)
    return np.clip(X * (100 if name == "int16" else 1), -128 if name == "int8" else -30_000, 127).astype(name)


@pytest.mark.parametrize("name", ["int8", "int16", "bool", "float16", "bfloat16"])
def test_values_of_low_precision_are_fitted_as_the_same_values_in_float64(name: str) -> None:
    for n, d, k in [(2000, 3, 7), (1500, 40, 13), (1500, 200, 70), (33_000, 1, 20)]:
        X = of_low_precision(name, n, d)
        weights = np.random.default_rng(0).uniform(0.5, 3, n) if d == 40 else None
        wide = X.astype(np.float64)
        fits = {
            rows.dtype: KMeans(k, random_state=3, max_iter=20) for rows in (X, X.astype(np.float32), wide)
        }
        for dtype, model in fits.items():
            model.fit(X.astype(dtype), sample_weight=weights)
        own, narrow, expected = fits.values()
        assert bits(own) == bits(narrow) == bits(expected)
        assert own.predict(X).tobytes() == own.labels_.tobytes()
        assert own.transform(X[:50]).tobytes() == own.transform(wide[:50]).tobytes()
        assert own.score(X[:500]) == own.score(wide[:500])
        few = [MiniBatchKMeans(5, batch_size=128, max_iter=3, random_state=3).fit(rows) for rows in (X, wide)]
        assert bits(few[0]) == bits(few[1])


def test_dask_arrays_of_low_precision_are_read_as_they_are() -> None:
    array = pytest.importorskip("dask.array")
    for name in ("int8", "bool", "float16"):
        X = of_low_precision(name, 900, 40)
        model = KMeans(6, random_state=0).fit(X)
        lazy = array.from_array(X, chunks=(250, 40))
        assert model.predict(lazy).compute().tobytes() == model.labels_.tobytes()
        again = KMeans(6, random_state=0).fit(lazy)
        assert again.cluster_centers_.tobytes() == model.cluster_centers_.tobytes()


@settings(max_examples=15, deadline=None)
@given(datasets())
def test_minibatch(data: tuple[Array, Array | None]) -> None:
    X, weights = data
    model = MiniBatchKMeans(5, batch_size=16, max_iter=4, random_state=3, n_threads=1)
    expected = bits(model.fit(X, sample_weight=weights))
    for cpu in CPUS:
        with running_on(cpu):
            assert bits(model.set_params(n_threads=3).fit(X, sample_weight=weights)) == expected


@settings(max_examples=25, deadline=None)
@given(datasets(), st.integers(0, 2**32))
def test_order_of_unweighted_integer_rows(data: tuple[Array, Array | None], seed: int) -> None:
    X, _ = data
    if X.dtype.kind == "f":
        return
    order = np.random.default_rng(seed).permutation(len(X))
    model = KMeans(6, random_state=1)
    first = model.fit(X)
    labels, centers = first.labels_, first.cluster_centers_
    shuffled = model.fit(X[order])
    assert (shuffled.cluster_centers_ == centers).all()
    assert (shuffled.labels_ == labels[order]).all()


def test_order_of_unweighted_float_rows() -> None:
    for dtype in ["float32", "float64"]:
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


def test_real_images(shared_data_mnist: Array) -> None:
    for k in [10, 64]:
        X = shared_data_mnist[:6000]  # enough to have sketches
        model = KMeans(k, random_state=0, max_iter=5, n_threads=1)
        expected = bits(model.fit(X))
        for cpu in CPUS:
            if cpu != "scalar":
                with running_on(cpu):
                    assert bits(model.set_params(n_threads=3).fit(X)) == expected
