"""Estimators on sparse rows and on rows larger than memory: the bits of the same rows as an array."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from kmosaic import KMeans, MiniBatchKMeans
from kmosaic.errors import DataError
from kmosaic.rows import plan
from reference import Array

pytestmark = pytest.mark.filterwarnings(
    "ignore:X has only .* distinct rows", "ignore:only .* clusters have rows"
)


@pytest.fixture
def small_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is planned as if nothing but rows took any, so that a few kilobytes are a cap."""
    monkeypatch.setattr(plan, "_FIXED", 0)
    monkeypatch.setattr(plan, "_LEAST_BLOCK_BYTES", 1)
    monkeypatch.setattr(plan, "_HELD_BYTES", 1 << 40)


class Sliced:
    def __init__(self, X: Array) -> None:
        self._X = X
        self.shape, self.dtype = X.shape, X.dtype

    def __getitem__(self, rows: slice) -> Array:
        return self._X[rows]


def forms_of(X: Array, folder: Path) -> dict[str, Any]:
    """X in every form that is no array in memory."""
    shards = folder / "shards"
    shards.mkdir(exist_ok=True)
    np.save(folder / "x.npy", X)
    np.save(folder / "f.npy", np.asfortranarray(X))
    paths = [shards / f"{number}.npy" for number in range(3)]
    for path, part in zip(paths, np.array_split(X, 3), strict=True):
        np.save(path, part)
    forms = {
        "map": np.load(folder / "x.npy", mmap_mode="r"),
        "Fortran map": np.load(folder / "f.npy", mmap_mode="r"),
        "path": folder / "x.npy",
        "folder": str(shards),
        "list": paths,
        "slices": Sliced(X),
    }
    if X.dtype.isnative and X.dtype != np.float16:  # which SciPy has not
        forms |= {"csr": sparse.csr_array(X), "csc": sparse.csc_matrix(X)}
    return forms


MODELS = st.one_of(
    st.builds(
        KMeans,
        st.integers(1, 9),
        init=st.sampled_from(["k-means++", "random"]),
        n_init=st.integers(1, 2),
        tol=st.sampled_from([0.0, 1e-3]),
        empty_clusters=st.sampled_from(["relocate", "random", "drop"]),
        random_state=st.just(0),
    ),
    st.builds(
        MiniBatchKMeans,
        st.integers(1, 9),
        batch_size=st.sampled_from([50, 5000]),
        init_size=st.just(20),
        max_iter=st.just(2),
        random_state=st.just(0),
    ),
)


@pytest.mark.usefixtures("small_plans")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    model=MODELS,
    shape=st.tuples(st.integers(20, 700), st.sampled_from([1, 5, 40])),
    dtype=st.sampled_from(
        ["uint8", "int8", "uint16", "int16", "float16", "float32", "float64", "int32", "bool", ">f4", ">u2"]
    ),
    share=st.sampled_from([0.04, 0.3, 1.0]),
    choices=st.tuples(st.booleans(), st.integers(1, 300), st.integers(0, 99)),
)
def test_the_bits_of_an_array(
    model: Any, shape: tuple[int, int], dtype: str, share: float, choices: Any, tmp_path: Path
) -> None:
    weighted, block_rows, seed = choices
    random = np.random.default_rng(seed)
    X = (random.integers(0, 100, shape) * (random.random(shape) < share) * 1.25).astype(dtype)
    weights = (random.random(len(X)) + 0.01) * (np.arange(len(X)) % 9 < 8) if weighted else None
    expected = model.fit(X, sample_weight=weights)
    attributes = [name for name in vars(expected) if name.endswith("_") and name != "plan_"]
    fitted = {name: np.copy(getattr(expected, name)) for name in attributes}
    labels, distances, score = (
        expected.predict(X),
        expected.transform(X),
        expected.score(X, sample_weight=weights),
    )
    cap = (100 + 8 * 9) * len(X) + 80 * 9 * shape[1] + block_rows * (48 * shape[1] + 64)
    for name, form in forms_of(X, tmp_path).items():
        model.set_params(memory=None if name.startswith("cs") else cap).fit(form, sample_weight=weights)
        for attribute, value in fitted.items():
            assert np.asarray(getattr(model, attribute)).tobytes() == value.tobytes(), (name, attribute)
        assert model.labels_.dtype == model.predict(form).dtype == np.int32
        assert (model.predict(form) == labels).all(), name
        assert model.transform(form).tobytes() == distances.tobytes(), name
        assert model.score(form, sample_weight=weights) == score, name


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_partial_fit_takes_sparse_batches_and_files(share: float, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = random.integers(0, 99, (300, 12)) * (random.random((300, 12)) < share)
    dense = MiniBatchKMeans(4, random_state=0)
    models = [MiniBatchKMeans(4, random_state=0) for _ in range(2)]
    for batch in np.split(X, 3):
        dense.partial_fit(batch)
        models[0].partial_fit(sparse.csr_array(batch))
        np.save(tmp_path / "batch.npy", batch)
        models[1].partial_fit(tmp_path / "batch.npy")
    for model in models:
        assert model.cluster_centers_.tobytes() == dense.cluster_centers_.tobytes()
        assert (model.labels_ == dense.labels_).all()


def test_a_sparse_batch_keeps_to_the_cap() -> None:
    X = sparse.random_array((1000, 50), density=0.01, rng=np.random.default_rng(0))
    message = "X takes 0.4 MB as one dense batch, where memory is 0.3 MB; give fewer rows"
    with pytest.raises(DataError, match=message):
        MiniBatchKMeans(3, memory=300_000).partial_fit(X)
    model = MiniBatchKMeans(3, memory=400_000, random_state=0).partial_fit(X)
    assert (model.labels_ == MiniBatchKMeans(3, random_state=0).partial_fit(X.toarray()).labels_).all()


def test_sparse_rows_are_made_dense_only_where_that_fits_and_is_faster() -> None:
    random = np.random.default_rng(0)
    X = random.integers(0, 99, (2000, 50)) * (random.random((2000, 50)) < 0.5)
    model = KMeans(4, random_state=0, max_iter=3)
    for form, memory, is_sparse in [
        (sparse.csr_array(X), None, False),
        (sparse.csr_array(X), 1000, True),
        (sparse.csr_array(X * (X < 2)), None, True),
    ]:
        assert (model.set_params(memory=memory).fit(form).plan_.path == "sparse") == is_sparse


def test_a_callable_start_is_given_the_rows_as_they_are(tmp_path: Path) -> None:
    X = np.random.default_rng(0).random((20_000, 40))
    np.save(tmp_path / "x.npy", X)
    seen: list[Any] = []

    def start(rows: Any, n_clusters: int, random_state: Any) -> Any:  # noqa: ARG001
        seen.append(rows)
        first = rows[:n_clusters]
        return first.toarray() if sparse.issparse(first) else first

    expected = KMeans(5, init=start, n_init=1).fit(X)
    matrix = sparse.csr_array(X)
    assert (KMeans(5, init=start, n_init=1).fit(matrix).labels_ == expected.labels_).all()
    assert seen[-1] is matrix
    model = KMeans(5, init=start, n_init=1, memory=32_000_000).fit(tmp_path / "x.npy")
    assert (model.labels_ == expected.labels_).all()
    assert seen[-1].shape == X.shape


def test_bad_caps_and_rows(tmp_path: Path) -> None:
    X = np.random.default_rng(0).random((3000, 40))
    np.save(tmp_path / "x.npy", X)
    for memory, message in [
        ("a lot", "'a lot' is no amount of memory; write"),
        (0, "'memory'.*Got 0"),
        (True, "'memory'.*Got True"),
        (2.5, "'memory'.*Got 2.5"),
        ("2MB", "memory=2,000,000 bytes are too few for 3,000 rows of 40 features; 2. MB is the least"),
    ]:
        with pytest.raises(ValueError, match=message):
            KMeans(3, memory=memory).fit(tmp_path / "x.npy")
    with pytest.raises(ValueError, match="n_samples=3000.*n_clusters=3001"):
        KMeans(3001).fit(sparse.csr_array(X))
    with pytest.raises(ValueError, match="sample_weight.shape"):
        KMeans(3, memory="40MB").fit(tmp_path / "x.npy", sample_weight=np.ones(3))
    model = KMeans(3, random_state=0).fit(sparse.csr_array(X))
    for form in (sparse.csr_array(X[:, 1:]), Sliced(X[:, 1:])):
        for method in (model.predict, model.transform, model.score):
            with pytest.raises(ValueError, match="39 features.*40 features"):
                method(form)
    np.save(tmp_path / "x.npy", np.ones((20_000, 40)))
    with pytest.raises(DataError, match="20,000 rows.*one batch"):
        MiniBatchKMeans(3, memory=32_000_000).partial_fit(tmp_path / "x.npy")


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's anonymous resident memory")
def test_a_fit_keeps_to_its_cap(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys, threading, time
        import numpy as np
        from kmosaic import KMeans
        def anonymous():
            lines = open("/proc/self/status").read().splitlines()
            return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
        KMeans(2, random_state=0).fit(np.random.default_rng(0).random((100, 4)))  # loads what fits need
        mapped = np.lib.format.open_memmap(sys.argv[1], "w+", ">f4", (60_000, 300))
        for first in range(0, 60_000, 10_000):
            mapped[first : first + 10_000] = np.random.default_rng(first).integers(0, 9, (10_000, 300))
        mapped.flush()
        before, most, done = anonymous(), [0], threading.Event()
        def watch():
            while not done.is_set():
                most[0] = max(most[0], anonymous())
                time.sleep(0.001)
        watcher = threading.Thread(target=watch)
        watcher.start()
        KMeans(8, random_state=0, max_iter=2, memory="40MB").fit(mapped)
        done.set()
        watcher.join()
        print(mapped.nbytes, most[0] - before)
    """)
    script = tmp_path / "fit.py"
    script.write_text(program)
    arguments = [sys.executable, script, tmp_path / "x.npy"]
    answer = subprocess.run(arguments, capture_output=True, text=True, check=True)
    n_bytes, used = (int(word) for word in answer.stdout.split())
    assert used < 40_000_000 < n_bytes
