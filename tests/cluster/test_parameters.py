"""Parameters that scikit-learn's k-means has, dtypes of outputs, images, and frames of other libraries."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits

from kmosaic import KMeans, MiniBatchKMeans, SphericalKMeans, TwoLevelKMeans
from kmosaic.errors import DataError

X = load_digits().data.astype(np.float32)


def numbers(text: str, pattern: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, text)]


def test_algorithm_and_copy_x_change_no_bit() -> None:
    before = X.copy()
    models = [
        KMeans(9, random_state=0, algorithm=algorithm, copy_x=copy_x).fit(X)
        for algorithm in ("lloyd", "elkan")
        for copy_x in (True, False)
    ]
    assert (before == X).all()
    for one, other in pairwise(models):
        assert (one.cluster_centers_ == other.cluster_centers_).all()
        assert (one.labels_ == other.labels_).all()
    for wrong in ({"algorithm": "full"}, {"callback": 3}):
        with pytest.raises(ValueError, match=f"'{next(iter(wrong))}'"):
            KMeans(9, **wrong).fit(X)


@pytest.mark.parametrize(("tol", "reason"), [(0.0, "strict convergence"), (1e-2, "within tolerance 0.01")])
def test_verbose_prints_every_iteration(capsys: pytest.CaptureFixture[str], tol: float, reason: str) -> None:
    model = KMeans(5, random_state=0, n_init=1, tol=tol, verbose=1).fit(X)
    out = capsys.readouterr().out
    assert out.startswith("Initialization complete")
    inertias = numbers(out, r"Iteration \d+, inertia ([\d.]+)\.\n")
    assert len(inertias) == model.n_iter_
    assert inertias == sorted(inertias, reverse=True)
    assert out.endswith(f"{reason}.\n")
    KMeans(5, random_state=0).fit(X)
    assert capsys.readouterr().out == ""


def test_verbose_prints_every_batch(capsys: pytest.CaptureFixture[str]) -> None:
    model = MiniBatchKMeans(5, random_state=0, batch_size=100, n_init=2, verbose=1).fit(X)
    out = capsys.readouterr().out
    assert len(numbers(out, r"Inertia for init \d/2: ([\d.]+)\n")) == 2
    assert numbers(out, r"step \d+/1800: mean batch inertia: ([\d.]+),") == model.inertia_history_.tolist()
    assert f"at step {model.n_steps_}" in out


def test_labels_may_be_left_out() -> None:
    for rows in [X, sparse.csr_array(X)]:
        whole = MiniBatchKMeans(5, random_state=0).fit(rows)
        fast = MiniBatchKMeans(5, random_state=0, compute_labels=False)
        fast.labels_ = "those of another fit"  # type: ignore[assignment]
        fast.fit(rows)
        assert not hasattr(fast, "labels_")
        assert (fast.cluster_centers_ == whole.cluster_centers_).all()
        assert fast.inertia_ == pytest.approx(whole.inertia_, rel=0.05)
        assert (fast.fit_predict(rows) == whole.labels_).all()
        doubled = MiniBatchKMeans(5, random_state=0, compute_labels=False).fit(
            rows, sample_weight=np.full(1797, 2.0)
        )
        assert doubled.inertia_ == pytest.approx(2 * fast.inertia_, rel=0.05)
        fast.partial_fit(rows[:200])
        assert not hasattr(fast, "labels_")
        assert fast.inertia_ == pytest.approx(-fast.score(rows[:200]), rel=0.1)


def test_transform_is_in_the_dtype_of_float_rows() -> None:
    for estimator in [KMeans, MiniBatchKMeans, SphericalKMeans, TwoLevelKMeans]:
        model = estimator(4, random_state=0).fit(X + 1)
        wide = model.transform((X + 1).astype(np.float64))
        assert wide.dtype == model.transform((X + 1).astype(np.uint8)).dtype == np.float64
        narrow = model.transform(X + 1)
        assert narrow.dtype == np.float32
        if estimator is SphericalKMeans:  # whose rows are of unit length in their own dtype
            assert narrow == pytest.approx(wide, rel=1e-5)
        else:
            assert (narrow == wide.astype(np.float32)).all()


def test_images_are_refused_with_the_reshape_that_helps() -> None:
    images = np.zeros((6, 5, 4, 3), np.uint8)
    for estimator in (KMeans(2), MiniBatchKMeans(2), TwoLevelKMeans(2), SphericalKMeans(2)):
        for given, words in (
            (images, ["reshape(len(X), -1)", "reshape(-1, 3)"]),
            (images[..., 0], ["len(X), -1"]),
        ):
            with pytest.raises(DataError) as caught:
                estimator.fit(given)
            for word in (str(given.shape), *words):
                assert word in str(caught.value)


class OfDLPack:
    """An array of another library, which NumPy reads by DLPack alone."""

    def __init__(self, values: Any) -> None:
        self.values, self.shape, self.dtype, self.ndim = values, values.shape, "float32", values.ndim

    def __len__(self) -> int:
        return len(self.values)

    def __dlpack__(self, **options: Any) -> Any:
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.values.__dlpack_device__()


def test_arrays_of_dlpack_are_read_in_place() -> None:
    model = KMeans(3, random_state=0)
    assert np.shares_memory(model._rows(OfDLPack(X), reset=True), X)
    assert model.fit(OfDLPack(X)).inertia_ == KMeans(3, random_state=0).fit(X).inertia_


def test_frames_of_polars() -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = polars.DataFrame(X, schema=[f"p{i}" for i in range(64)])
    model = KMeans(3, random_state=0).set_output(transform="polars").fit(frame)
    distances = model.transform(frame)
    assert isinstance(distances, polars.DataFrame)
    assert distances.columns == ["kmeans0", "kmeans1", "kmeans2"]
    assert distances.to_numpy() == pytest.approx(KMeans(3, random_state=0).fit(X).transform(X), rel=1e-6)
