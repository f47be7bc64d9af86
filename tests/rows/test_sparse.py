"""SciPy's sparse formats as rows, and matrices that are damaged."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from kmosaic import KMeans, MiniBatchKMeans
from kmosaic.errors import DataError
from kmosaic.rows import sparse_rows

NATIVE = {
    "uint8": "uint8",
    "int8": "int8",
    "uint16": "uint16",
    "int64": "float64",
    "bool": "uint8",
    "float32": "float32",
    "float64": "float64",
    "longdouble": "float64",
}


def test_every_format() -> None:
    for dtype, kind in product(NATIVE, ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"]):
        random = np.random.default_rng(0)
        X = (random.integers(1, 90, (41, 7)) * (random.random((41, 7)) < 0.3)).astype(dtype)
        for wrap in (sparse.coo_array, sparse.coo_matrix):
            rows = sparse_rows(wrap(X.astype("f8")).astype(dtype).asformat(kind))
            assert (rows.all_dense() == X).all()
            assert (rows.dense(np.array([40, 2, 2])) == X[[40, 2, 2]]).all()
            assert rows.values.all()
            assert rows.dtype == rows.all_dense().dtype == NATIVE[dtype]


def test_values_are_taken_as_they_are() -> None:
    X = sparse.random_array((50, 9), density=0.3, format="csr", rng=np.random.default_rng(0))
    rows = sparse_rows(X)
    assert np.shares_memory(rows.values, X.data)
    assert not np.shares_memory(rows.columns, X.indices)  # which may be changed during a fit


def test_entries_out_of_order_twice_or_zero() -> None:
    random = np.random.default_rng(0)
    row, column = random.integers(0, 30, (2, 900))
    values = random.normal(size=900) * 10.0 ** random.integers(-9, 9, 900)
    values[::7] = 0
    unsorted = sparse.csr_array((values, (row, column)), (30, 30))  # sums them
    twice = sparse.csr_array((30, 30))
    order = np.argsort(row, kind="stable")
    twice.data, twice.indices = values[order], column[order].astype(np.int64)
    twice.indptr = np.searchsorted(row[order], np.arange(31)).astype(np.int64)
    before = twice.indices.copy()
    assert (sparse_rows(twice).all_dense() == twice.toarray()).all()
    assert (twice.indices == before).all()  # not put in order where they are
    assert sparse_rows(unsorted).all_dense() == pytest.approx(twice.toarray(), rel=1e-9)


def damaged(kind: str, **arrays: Any) -> Any:
    X = sparse.eye_array(6, format=kind, dtype=float).copy()
    for name, (place, value) in arrays.items():
        getattr(X, name)[place] = value
    return X


def test_damaged_matrices() -> None:
    for X, message in [
        (damaged("csr", indices=(3, 6)), "column 6.*has 6"),
        (damaged("csr", indices=(3, -1)), "column -1"),
        (damaged("csc", indices=(3, 99)), "row 99"),
        (damaged("bsr", indices=(3, 7)), "column 7"),
        (damaged("csr", indptr=(3, 9)), "indptr"),
        (damaged("csr", indptr=(0, 1)), "indptr"),
        (damaged("csr", indptr=(6, 7)), "indptr"),
        (damaged("csr", data=(4, np.nan)), "row 4 of X, column 4, has NaN"),
        (damaged("csr", data=(4, -np.inf)), "row 4 of X, column 4, has infinity"),
        (damaged("csr", data=(4, np.inf)).astype("f4"), "row 4 of X, column 4, has infinity"),
        (damaged("csr", data=(4, 1e200)), "row 4 of X, column 4, has 1e.200, too large"),
        (sparse.eye_array(6, dtype=complex, format="csr"), "Complex"),
        (sparse.csr_array((0, 4)), "0 samples"),
        (sparse.csr_array((4, 0)), "0 features"),
        (sparse.csr_array((4, 2**32)), "at most 2,147,483,647"),
        (sparse.coo_array(([1.0], ([0],)), shape=(3,)), "1 dimensions"),
    ]:
        for model in (KMeans(2), MiniBatchKMeans(2)):
            with pytest.raises(DataError, match=message):
                model.fit(X)


def test_indices_of_coo_beyond_the_shape() -> None:
    for place, index, message in (
        (0, 6, "row 6"),
        (1, 2**40, "column 1,099,511,627,776"),
        (1, -2, "column -2"),
    ):
        X = sparse.eye_array(6, format="coo")
        coords = [np.array(each, np.int64) for each in X.coords]
        coords[place][3] = index
        X.coords = tuple(coords)
        with pytest.raises(DataError, match=message):
            KMeans(2).fit(X)
