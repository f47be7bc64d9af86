"""Rows in files, folders of shards and whatever is sliced: what is read, and every kind of bad input."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kmosaic import KMeans
from kmosaic.errors import DataError
from kmosaic.rows import is_source, open_source
from reference import Array


def saved(path: Path, X: Array) -> Path:
    np.save(path, X)
    return path


class Sliced:
    """As zarr's arrays and h5py's data sets are: read by slices alone."""

    dims = ("h5py has labels of axes", "")

    def __init__(self, X: Array) -> None:
        self._X = X
        self.shape, self.dtype = X.shape, X.dtype

    def __getitem__(self, rows: slice) -> Array:
        assert isinstance(rows, slice)
        return self._X[rows]


def test_rows_are_read_as_they_are(tmp_path: Path) -> None:
    for case, (dtype, native) in enumerate(
        [
            ("uint8", "u1"),
            ("int8", "i1"),
            ("uint16", "u2"),
            (">i2", "i2"),
            ("float16", "f2"),
            ("float32", "f4"),
            (">f4", "f4"),
            ("float64", "f8"),
            ("int64", "f8"),
            ("bool", "u1"),
        ]
    ):
        folder = tmp_path / str(case)
        (folder / "shards").mkdir(parents=True)
        X = (np.random.default_rng(0).integers(0, 80, (97, 6)) * 1.5).astype(dtype)
        for number, part in enumerate(np.split(X, [1, 40, 41])):
            saved(folder / "shards" / f"{number}.npy", part if number else np.asfortranarray(part))
        (folder / "shards" / "notes.txt").write_text("no rows")
        plain, fortran = saved(folder / "c.npy", X), saved(folder / "f.npy", np.asfortranarray(X))
        mapped = np.load(plain, mmap_mode="r")
        images = saved(folder / "images.npy", X.reshape(97, 3, 2))
        changed = np.load(plain, mmap_mode="c")
        changed[3] = 1  # what the file has not
        forms: list[tuple[Any, Array]] = [
            (plain, X),
            (str(fortran), X),
            (images, X),
            (mapped, X),
            (mapped[5:50], X[5:50]),
            (np.asarray(mapped)[7:], X[7:]),
            (mapped[::3], X[::3]),
            (mapped[:, :2], X[:, :2]),
            (np.load(fortran, mmap_mode="r"), X),
            (changed, changed),
            (folder / "shards", X),
            ([plain, fortran], np.vstack([X, X])),
            (Sliced(X), X),
        ]
        for form, expected in forms:
            assert is_source(form, capped=True)
            source = open_source(form)
            assert source.shape == expected.shape
            numbers = np.random.default_rng(1).integers(0, len(expected), 20)
            assert source.dtype == native
            assert source[3:31].dtype == source[numbers].dtype == source.load(10).dtype == native
            assert (source[3:31] == expected[3:31]).all()
            assert (source[numbers] == expected[numbers]).all()
            assert (source[::4] == expected[::4]).all()
            assert (source.load(10) == expected).all()


def test_what_is_read_in_place_or_is_in_memory_is_no_source(tmp_path: Path) -> None:
    X = np.ones((4, 2), np.float32)
    mapped = np.load(saved(tmp_path / "x.npy", X), mmap_mode="r")
    swapped = np.load(saved(tmp_path / "y.npy", X.astype(">f8")), mmap_mode="r")
    of_bools = np.load(saved(tmp_path / "z.npy", X.astype(bool)), mmap_mode="r")
    for in_place in (mapped, of_bools):
        assert not is_source(in_place, capped=False)
    assert is_source(mapped[:, :1], capped=False)
    assert is_source(swapped, capped=False)
    for form in (X, X.tolist(), X.astype(">f8"), None):
        assert not is_source(form, capped=True)


def test_maps_of_bfloat16(tmp_path: Path) -> None:
    bfloat16 = pytest.importorskip("ml_dtypes", reason="bfloat16 arrays need ml_dtypes").bfloat16
    X = np.random.default_rng(0).normal(size=(3000, 8)).astype(bfloat16)
    expected = KMeans(5, random_state=0).fit(X)
    for order in "CF":
        mapped = np.memmap(tmp_path / order, bfloat16, "w+", shape=X.shape, order=order)
        mapped[:] = X
        mapped.flush()
        assert is_source(mapped, capped=False) == (order == "F")
        for form, memory in product((mapped, Sliced(mapped)), (None, "30MB", "34MB")):
            model = KMeans(5, random_state=0, memory=memory).fit(form)
            assert model.cluster_centers_.tobytes() == expected.cluster_centers_.tobytes()
            assert (model.predict(form) == expected.labels_).all()
        for value, kind in ((np.nan, "NaN"), (-np.inf, "infinity")):
            mapped[2123, 5] = value
            mapped.flush()
            with pytest.raises(DataError, match=f"row 2,123 of .*column 5, has {kind}"):
                KMeans(5, memory="34MB").fit(mapped)


def test_a_file_that_shrinks_is_an_error_and_no_signal(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(40_000, 8))
    path = saved(tmp_path / "x.npy", X)

    def shrink(progress: Any) -> None:
        if progress.iteration == 1:
            with path.open("r+b") as file:
                file.truncate(1_000_000)

    model = KMeans(5, random_state=0, memory="34MB", callback=shrink)
    with pytest.raises(DataError, match="x.npy has become shorter"):
        model.fit(np.load(path, mmap_mode="r"))
    assert not hasattr(model, "labels_")
    path.unlink()
    with pytest.raises(DataError, match="there is no .*x.npy"):
        model.fit(path)


def test_a_bad_value_is_named_by_its_row(tmp_path: Path) -> None:
    for value, dtype in [
        (np.nan, "f8"),
        (np.inf, "f8"),
        (1e200, "f8"),
        (np.nan, "f2"),
        (np.inf, "f4"),
        (-np.inf, "f2"),
    ]:
        X = np.random.default_rng(0).random((30_000, 8)).astype(dtype)
        X[29_123, 5] = value
        kind = {"nan": "NaN", "inf": "infinity"}.get(str(abs(value)), "too large")
        mapped = np.load(saved(tmp_path / "x.npy", X), mmap_mode="r")
        for memory in ("34MB", "1GB"):  # read in blocks; held
            with pytest.raises(DataError, match=f"row 29,123 of .*x.npy, column 5, has .*{kind}"):
                KMeans(2, memory=memory).fit(mapped)
        parts = [saved(tmp_path / f"{n}.npy", part) for n, part in enumerate(np.split(X, 3))]
        model = KMeans(2, init=np.vstack([X[0], X[0] + 1])).fit(X[:100])
        for method in (KMeans(2).fit, model.predict, model.transform, model.score):
            with pytest.raises(DataError, match="row 9,123 of .*2.npy, column 5"):
                method(parts)


def test_shards_that_do_not_go_together(tmp_path: Path) -> None:
    first = saved(tmp_path / "0.npy", np.ones((5, 3), np.float32))
    for other in (np.ones((5, 4), np.float32), np.ones((5, 3))):
        saved(tmp_path / "1.npy", other)
        with pytest.raises(DataError, match=r"1.npy has . features of .*0.npy has 3 of float32.*the same"):
            KMeans(2).fit(tmp_path)
    with pytest.raises(DataError, match="x.npy cannot be read"):
        KMeans(2).fit([first, tmp_path / "x.npy"])


def test_files_without_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \.npy files"):
        KMeans(2).fit(tmp_path)
    bad = tmp_path / "bad.npy"
    for content, message in [
        (np.ones(4), "shape"),
        (np.empty((0, 4)), "0 samples"),
        (np.empty((4, 0)), "0 features"),
        (np.ones((4, 2), complex), "complex"),
        (np.array([["a"]]), "<U1"),
    ]:
        saved(bad, content)
        with pytest.raises(DataError, match=message):
            KMeans(2).fit(bad)
    np.save(bad, np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="object"):
        KMeans(2).fit(bad)
    whole = saved(bad, np.ones((9, 9))).read_bytes()
    for damaged in (whole[:-1], whole + b"x", whole[:50], b"", b"\x93NUMPY\x09\x00"):
        bad.write_bytes(damaged)
        with pytest.raises(DataError, match="bad.npy"):
            KMeans(2).fit(bad)


def test_slices_of_another_shape_or_dtype() -> None:
    class Changes(Sliced):
        def __init__(self, change: Callable[[Array], Array]) -> None:
            super().__init__(np.ones((50, 3)))
            self._change = change

        def __getitem__(self, rows: slice) -> Array:
            return self._change(super().__getitem__(rows))

    for change in [lambda rows: rows[1:], lambda rows: rows[:, 1:], lambda rows: rows.astype(np.float32)]:
        with pytest.raises(DataError, match=r"X\[0:50\] has (shape|dtype)"):
            KMeans(2).fit(Changes(change))
