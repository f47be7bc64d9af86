"""Principal components of equal variance, beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from kmosaic.features import Whiten


@pytest.fixture
def correlated() -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(2000, 12)) @ rng.normal(size=(12, 12)) + 1000


def test_without_regularization_as_scikit_learn(correlated: NDArray[np.float64]) -> None:
    ours = Whiten(5, regularization=0).fit(correlated)
    theirs = PCA(5, whiten=True, svd_solver="full").fit(correlated)
    assert ours.variance_ == pytest.approx(theirs.explained_variance_, rel=1e-9)
    assert np.abs(ours.transform(correlated)) == pytest.approx(np.abs(theirs.transform(correlated)), abs=1e-7)
    assert np.cov(ours.transform(correlated).T) == pytest.approx(np.eye(5), abs=1e-9)


def test_regularization_keeps_noise_small(correlated: NDArray[np.float64]) -> None:
    damped = Whiten(regularization=0.5).fit(correlated)
    mean_variance = np.trace(np.cov(correlated.T)) / 12
    expected = damped.variance_ / (damped.variance_ + 0.5 * mean_variance)
    assert damped.transform(correlated).var(axis=0, ddof=1) == pytest.approx(expected, rel=1e-9)


def test_dtypes() -> None:
    for dtype, out in [("uint8", "float32"), ("float32", "float32"), ("float64", "float64")]:
        X = np.random.default_rng(0).integers(0, 256, (50, 9)).astype(dtype)
        assert Whiten().fit_transform(X).dtype == out


def test_directions_without_variance_stay_at_zero() -> None:
    X = np.random.default_rng(0).normal(size=(100, 2)) @ np.array([[1.0, 2, 3, 4], [0, 1, 0, 1]])
    out = Whiten(regularization=0).fit_transform(X)
    assert out[:, :2].var(axis=0, ddof=1) == pytest.approx([1, 1])
    assert not out[:, 2:].any()
    assert not Whiten().fit_transform(np.full((5, 4), 7.0)).any()


def test_components_have_one_sign(correlated: NDArray[np.float64]) -> None:
    components = Whiten().fit(correlated).components_
    assert (components[np.arange(12), np.abs(components).argmax(axis=1)] > 0).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="n_components=0.*1"):
        Whiten(0).fit(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="regularization=-1.*0"):
        Whiten(regularization=-1).fit(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="20,000 features"):
        Whiten().fit(np.zeros((2, 20_000), np.uint8))
