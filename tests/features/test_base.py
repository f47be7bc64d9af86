"""What transformers share: shapes, and one BLAS thread while they work."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from kmosaic.features import OrientedGradients
from kmosaic.features.base import one_blas_thread, over_threads, resolved_shape


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_blas_has_one_thread_until_the_last_has_left() -> None:
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        one_blas_thread.__enter__()
        one_blas_thread.__enter__()
        one_blas_thread.__exit__()
        assert blas_threads() == {1}
        one_blas_thread.__exit__()
        assert blas_threads() == before


def test_work_over_threads_has_one_blas_thread_and_gives_it_back_when_it_fails() -> None:
    before, seen = blas_threads(), []

    def work(start: int) -> int:
        seen.append(blas_threads())
        if start == 3:
            raise RuntimeError("a block fails")
        return start

    with pytest.raises(RuntimeError, match="a block fails"):
        over_threads(work, range(8), 2, lambda _: None)
    assert seen[0] == {1}
    assert blas_threads() == before


def test_shapes_that_are_none() -> None:
    for shape in (3, (1, 2), (0, 2, 2), (1.5, 2, 2), (True, 2, 2), "abc"):
        with pytest.raises(ValueError, match=r"\(height, width, channels\)"):
            resolved_shape(shape, 4)
    assert resolved_shape([np.int64(2), 2, 1], 4) == (2, 2, 1)


def test_a_fitted_transformer_refuses_rows_of_another_length() -> None:
    fitted = OrientedGradients().fit(np.zeros((3, 16)))
    with pytest.raises(ValueError, match="9 features.*16"):
        fitted.transform(np.zeros((3, 9)))
