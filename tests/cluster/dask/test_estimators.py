"""KMeans on Dask arrays: what it is on the same rows in memory, here and on a cluster."""

from __future__ import annotations

import tracemalloc
from collections.abc import Generator, Iterator
from functools import partial
from importlib.util import find_spec
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

da = pytest.importorskip("dask.array", reason="dask is not installed")
import dask  # noqa: E402

from kmosaic import KMeans, MiniBatchKMeans  # noqa: E402
from kmosaic.cluster.dask import estimators as streaming  # noqa: E402
from kmosaic.cluster.dask.batches import DaskBatches  # noqa: E402
from kmosaic.cluster.dask.estimators import block_engine  # noqa: E402
from kmosaic.cluster.dask.rows import ArrayRows  # noqa: E402
from kmosaic.errors import DataError  # noqa: E402
from kmosaic.models.image_model import ImageFormat, Model  # noqa: E402
from reference import Array  # noqa: E402


@pytest.fixture
def everywhere(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Generator[str, None, None]]:
    """Goes through the three places where a Dask array is fitted."""

    def places() -> Generator[str, None, None]:
        for place in ("in memory", "in turn"):
            for module in ("kmeans", "minibatch", "dask.estimators"):
                monkeypatch.setattr(
                    f"kmosaic.cluster.{module}.fits_here", lambda _, place=place: place == "in memory"
                )
            yield place
        monkeypatch.undo()
        if find_spec("distributed") is not None:
            monkeypatch.setattr(streaming, "ArrayRows", partial(ArrayRows, least_bytes=0))
            with request.getfixturevalue("dask_client").as_current():
                yield "on a cluster"

    going = places()
    yield going
    going.close()


def rows_of(dtype: Any, n: int = 900) -> Array:
    random = np.random.default_rng(8)
    X = random.integers(20, 236, (5, 6))[random.integers(0, 5, n)] + random.normal(0, 12, (n, 6))
    return X.clip(0, 255).astype(dtype)


def assert_same(found: KMeans, expected: KMeans) -> None:
    assert (found.cluster_centers_ == expected.cluster_centers_).all()
    assert (found.inertia_history_ == expected.inertia_history_).all()
    assert found.inertia_ == expected.inertia_
    assert (found.n_iter_, found.converged_) == (expected.n_iter_, expected.converged_)
    assert found.n_features_in_ == expected.n_features_in_
    assert isinstance(found.labels_, da.Array)
    assert found.labels_.dtype == np.int32
    assert (found.labels_.compute() == expected.labels_).all()


def test_the_fit_is_that_of_rows_in_memory_to_the_bit(everywhere: Iterator[str]) -> None:
    bfloat16 = pytest.importorskip("ml_dtypes", reason="bfloat16 arrays need ml_dtypes").bfloat16
    held = [rows_of(dtype) for dtype in ("uint8", "uint16", "float32", "int16", bfloat16)]
    fits = [KMeans(6, random_state=3, max_iter=5).fit(X) for X in held]
    for _ in everywhere:
        for X, expected in zip(held, fits, strict=True):
            lazy = da.from_array(X, chunks=(310, 4))
            assert_same(KMeans(6, random_state=3, max_iter=5).fit(lazy), expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_parameters_mean_the_same(everywhere: Iterator[str]) -> None:
    X = rows_of("uint8")
    far = np.full((6, 6), 250.0) + np.arange(6)[:, None] * 1000
    models = [
        KMeans(6, random_state=1, **parameters)
        for parameters in (
            {"init": "random", "n_init": 3, "max_iter": 4},
            {"init": X[:6].astype(float) + 0.5, "tol": 0.01},
            {"init": far, "empty_clusters": "relocate", "max_iter": 6},
            {"init": far, "empty_clusters": "drop"},
            {"init": lambda X, k, _: X[:k], "max_iter": 2},
        )
    ]
    fits = [clone(model).fit(X) for model in models]
    for _ in everywhere:
        for model, expected in zip(models, fits, strict=True):
            assert_same(clone(model).fit(da.from_array(X, chunks=(500, 6))), expected)


def test_images_are_rows(everywhere: Iterator[str]) -> None:
    for _ in everywhere:
        X = rows_of("uint8")
        images = da.from_array(X.reshape(-1, 2, 3, 1), chunks=(400, 1, 2, 1))
        assert_same(KMeans(4, random_state=0).fit(images), KMeans(4, random_state=0).fit(X))


def test_predict_transform_and_score_are_lazy_and_the_same(everywhere: Iterator[str]) -> None:
    for _ in everywhere:
        X = rows_of("float32")
        lazy = da.from_array(X, chunks=(200, 3))
        model = KMeans(4, random_state=0).fit(X)

        assert model.predict(lazy).chunks == ((200, 200, 200, 200, 100),)
        assert (model.predict(lazy).compute() == model.labels_).all()
        assert model.transform(lazy).shape == (900, 4)
        assert (model.transform(lazy).compute() == model.transform(X)).all()
        assert model.score(lazy) == model.score(X)
        assert (KMeans(4, random_state=0).fit_predict(lazy).compute() == model.labels_).all()


def test_callbacks_hear_of_iterations(everywhere: Iterator[str]) -> None:
    heard: list[float] = []
    for _ in everywhere:
        heard.clear()
        lazy = da.from_array(rows_of("uint8"), chunks=(500, 6))
        model = KMeans(4, random_state=0, callback=lambda now: heard.append(now.inertia)).fit(lazy)
        assert len(heard) == model.n_iter_
        assert heard[-1] == model.inertia_


def test_values_that_cannot_be_clustered(everywhere: Iterator[str]) -> None:
    for _ in everywhere:
        bfloat16 = pytest.importorskip("ml_dtypes", reason="bfloat16 arrays need ml_dtypes").bfloat16
        for value, dtype in [
            *product([np.nan, -np.inf], ["float64", "float32", bfloat16]),
            (-1e200, "float64"),
        ]:
            X = rows_of(dtype)
            model = KMeans(4, random_state=0).fit(X)
            X[700, 2] = value
            lazy = da.from_array(X, chunks=(300, 6))
            with pytest.raises(ValueError, match="NaN|infinity|too large"):
                KMeans(4).fit(lazy)
            with pytest.raises(DataError, match="NaN.*1e"):
                model.predict(lazy).compute()


def test_where_the_value_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmosaic.cluster.kmeans.fits_here", lambda _: False)
    X = rows_of("float64")
    X[700, 2] = np.nan
    with pytest.raises(DataError, match="rows 600.*899.*NaN"):
        KMeans(4).fit(da.from_array(X, chunks=(300, 6)))


def test_fewer_distinct_rows_than_clusters_are_told(everywhere: Iterator[str]) -> None:
    for _ in everywhere:
        lazy = da.from_array(np.repeat(rows_of("uint8")[:3], 5, axis=0), chunks=(4, 6))
        with pytest.warns(ConvergenceWarning, match="3 distinct.*n_clusters=5"):
            KMeans(5, random_state=0).fit(lazy)


def test_seeds_of_more_rows_than_are_drawn_depend_on_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmosaic.cluster.kmeans.fits_here", lambda _: False)
    monkeypatch.setattr(streaming, "SEED_ROWS", 100)
    X = rows_of("uint8")
    fits = [
        KMeans(6, random_state=seed, max_iter=1).fit(da.from_array(X, chunks=(size, 6))).inertia_
        for seed, size in ((0, 100), (0, 333), (1, 100))
    ]
    assert fits[0] == fits[1] != fits[2]


def test_each_chunk_is_computed_once_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmosaic.cluster.kmeans.fits_here", lambda _: False)
    computed: list[int] = []
    X = da.from_array(rows_of("uint8"), chunks=(300, 6)).map_blocks(
        lambda block: (computed.append(len(block)), block)[1], dtype=np.uint8, meta=np.empty((0, 0), np.uint8)
    )
    with dask.config.set(scheduler="synchronous"):
        model = KMeans(4, random_state=0).fit(X)
    n_passes = 3 + len(model.inertia_history_[::2])  # how many rows, their squares, seeds; steps
    assert len(computed) == 3 * n_passes


def test_arrays_that_are_refused() -> None:
    for X, message in [
        (da.ones(9), r"shape \(9,\)"),
        (da.ones((9, 2))[da.ones(9) > 0], "X.compute_chunk_sizes"),
        (da.ones((9, 2), dtype=complex), "values of complex128"),
        (da.ones((3, 2)), "n_samples=3.*n_clusters=4"),
    ]:
        with pytest.raises(ValueError, match=message):
            KMeans(4).fit(X)


def test_what_does_not_go_with_dask_arrays() -> None:
    X = da.from_array(rows_of("uint8"), chunks=(300, 6))
    with pytest.raises(ValueError, match="sample_weight"):
        KMeans(4).fit(X, sample_weight=np.ones(900))
    with pytest.raises(ValueError, match="'random'"):
        KMeans(4, empty_clusters="random").fit(X)
    model = KMeans(4, random_state=0).fit(X)
    with pytest.raises(ValueError, match="6 features"):
        model.predict(X[:, :5])


def test_a_fit_that_fails_leaves_the_model_as_it_was(everywhere: Iterator[str]) -> None:
    for _ in everywhere:
        X = da.from_array(rows_of("uint8"), chunks=(300, 6))
        model = KMeans(4, random_state=0).fit(X)
        before = model.cluster_centers_
        bad = X.astype(float) / X.astype(float).min() * np.inf
        with pytest.raises(ValueError, match="NaN|infinity"):
            model.fit(bad)
        assert model.cluster_centers_ is before


def test_models_of_dask_arrays_hold_the_sizes_of_clusters() -> None:
    fitted = KMeans(4, random_state=0).fit(da.from_array(rows_of("uint8"), chunks=(300, 6)))
    model = Model.from_fit(fitted, ImageFormat(1, 6, 1, "uint8", 255.0))
    assert model.cluster_sizes.tolist() == np.bincount(fitted.labels_.compute()).tolist()


def test_mini_batches_are_the_same_wherever_chunks_are_computed(
    everywhere: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for where in everywhere:
        for dtype in ("uint8", "float32", "int16"):
            check_mini_batches(where, dtype, monkeypatch)


def check_mini_batches(where: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X = rows_of(dtype)
    lazy = da.from_array(X, chunks=(110, 4))
    found = MiniBatchKMeans(5, random_state=4, batch_size=64).fit(lazy)
    with monkeypatch.context() as patch, dask.config.set(scheduler="synchronous"):
        patch.setattr("kmosaic.cluster.minibatch.fits_here", lambda _: where != "in memory")
        expected = MiniBatchKMeans(5, random_state=4, batch_size=64).fit(lazy)

    assert (found.cluster_centers_ == expected.cluster_centers_).all()
    assert (found.inertia_history_ == expected.inertia_history_).all()
    assert isinstance(found.labels_, da.Array)
    assert (found.labels_.compute() == found.predict(X)).all()
    assert found.inertia_ == pytest.approx(-found.score(X))
    assert found.inertia_ < 1.1 * MiniBatchKMeans(5, random_state=4, batch_size=64).fit(X).inertia_


def test_every_row_is_in_one_batch_of_a_pass(everywhere: Iterator[str]) -> None:
    for _ in everywhere:
        for chunk, size in [(70, 100), (450, 100), (900, 100), (35, 899), (70, 900)]:
            X = np.arange(900, dtype=np.uint16)[:, None]
            batches = DaskBatches(lazy := da.from_array(X, chunks=(chunk, 1)), block_engine(lazy, None), 1)
            random_state = np.random.RandomState(0)
            passes = [[engine.rows[:, 0] for engine in batches.once(size, random_state)] for _ in range(2)]

            for one in passes:
                assert [len(rows) for rows in one] == [size] * (900 // size) + [900 % size] * (900 % size > 0)
                assert sorted(np.concatenate(one)) == list(range(900))
            assert (passes[0][0] != passes[1][0]).any()


def test_mini_batches_hold_a_few_chunks_only() -> None:
    X = da.random.default_rng(0).integers(0, 256, (100_000, 300), dtype=np.uint8, chunks=(2_500, 300))
    batches = DaskBatches(X, block_engine(X, None), 1)
    tracemalloc.start()
    try:
        assert sum(len(engine.rows) for engine in batches.once(1024, np.random.RandomState(0))) == len(X)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2_500 * 300
    finally:
        tracemalloc.stop()


def test_what_mini_batches_refuse(everywhere: Iterator[str]) -> None:
    for _ in everywhere:
        X = rows_of("float32")
        X[250, 3] = np.nan
        with pytest.raises(DataError, match="rows 200.*299.*NaN"):
            MiniBatchKMeans(4).fit(da.from_array(X, chunks=(100, 6)))
        lazy = da.from_array(rows_of("uint8"), chunks=(100, 6))
        with pytest.raises(DataError, match="sample_weight"):
            MiniBatchKMeans(4).fit(lazy, sample_weight=np.ones(900))
        with pytest.raises(ValueError, match="n_samples=3.*n_clusters=4"):
            MiniBatchKMeans(4).fit(lazy[:3])
        with pytest.warns(ConvergenceWarning, match="1 distinct.*n_clusters=4"):
            MiniBatchKMeans(4, random_state=0).fit(da.ones((50, 6), chunks=(20, 6)))


def test_partial_fit_takes_an_array_as_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    X = rows_of("uint8")
    lazy = da.from_array(X, chunks=(300, 6))
    found, expected = MiniBatchKMeans(4, random_state=0), MiniBatchKMeans(4, random_state=0)
    for number, block in enumerate(lazy.blocks):
        found.partial_fit(block)
        expected.partial_fit(X[300 * number : 300 * (number + 1)])
    assert found.n_steps_ == 3
    assert (found.cluster_centers_ == expected.cluster_centers_).all()
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2 * X.nbytes - 1))
    with pytest.raises(DataError, match="one batch.*chunks"):
        found.partial_fit(lazy)


def test_a_chunk_that_is_not_as_declared_is_an_error(everywhere: Iterator[str]) -> None:
    for _ in everywhere:
        for estimator in (KMeans, MiniBatchKMeans):
            check_spoilt_chunks(estimator)


def check_spoilt_chunks(estimator: Any) -> None:
    X = rows_of("uint8")
    model = estimator(3, random_state=0).fit(X)

    def spoil(chunk: Array, unlike: Any, block_info: Any = None) -> Array:
        return unlike(chunk) if block_info[0]["chunk-location"] == (1, 0) else chunk

    for unlike, word in [
        (lambda chunk: chunk[:-1], "299, 6"),
        (lambda chunk: chunk[:1], "1, 6"),  # which NumPy would write into every row
        (lambda chunk: np.concatenate([chunk, chunk]), "600, 6"),
        (lambda chunk: chunk[:, :1], "300, 1"),
        (lambda chunk: chunk.astype(np.float64), "float64"),
    ]:
        lazy = da.from_array(X, chunks=(300, 6)).map_blocks(spoil, unlike, dtype=X.dtype, meta=X[:0])
        with pytest.raises(DataError, match=rf"chunk \(1, 0\) .*{word}"):
            estimator(3, random_state=0).fit(lazy)
        for method in (model.predict, model.transform):
            with pytest.raises(DataError, match=rf"chunk \(1, 0\) .*{word}"):
                method(lazy).compute()
