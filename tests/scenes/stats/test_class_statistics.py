"""Statistics of classes, beside NumPy's, and the same for every way of cutting a scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kmosaic.scenes.stats import class_statistics as module
from kmosaic.scenes.stats.class_statistics import ClassStatistics, ClassSums, SizeCount
from kmosaic.scenes.stats.separability import jeffries_matusita

N_CLASSES = 5


def labelled(dtype: str, seed: int = 0) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Values (53, 21, 3) and labels, some missing, none of class 4."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, N_CLASSES - 1, (53, 21)).astype(np.int32)
    labels[16:32] = -1  # a whole group of lines
    values = rng.normal(100 + 20 * labels[..., None], 9, (53, 21, 3))
    return values.astype(dtype), labels


def gathered(values: NDArray[Any], labels: NDArray[np.int32], n_lines: int) -> ClassStatistics:
    sums = ClassSums(np.full((N_CLASSES, values.shape[2]), 90.0), values.dtype)
    for top in range(0, len(values), n_lines):
        sums.add(values[top : top + n_lines], labels[top : top + n_lines])
    return sums.statistics()


def test_means_and_covariances_are_numpys() -> None:
    for dtype in ["uint8", "uint16", "float32", "float64"]:
        values, labels = labelled(dtype)

        found = gathered(values, labels, 16)

        for label in range(N_CLASSES - 1):
            rows = values[labels == label].astype(np.float64)
            np.testing.assert_allclose(found.means[label], rows.mean(axis=0), rtol=1e-13)
            np.testing.assert_allclose(
                found.covariances[label], np.cov(rows.T, bias=True), rtol=1e-10, atol=1e-9
            )
            np.testing.assert_allclose(found.deviations[label], rows.std(axis=0), rtol=1e-10)


def test_no_cut_changes_a_bit() -> None:
    for dtype, heights in [("uint8", (1, 7, 53)), ("uint16", (3, 50)), ("float32", (16, 48))]:
        values, labels = labelled(dtype)
        whole = gathered(values, labels, 64)

        for n_lines in heights:
            found = gathered(values, labels, n_lines)
            for name in ("means", "covariances", "separability"):
                assert getattr(found, name).tobytes() == getattr(whole, name).tobytes(), (name, n_lines)


def test_sums_beyond_64_bits_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_SUMS", 3)
    values = np.full((80, 40, 2), 65535, np.uint16)
    values[::2, :, 0] = 65534
    labels = np.zeros((80, 40), np.int32)
    sums = ClassSums(np.zeros((1, 2)), values.dtype)

    for _ in range(40):
        sums.add(values, labels)

    found = sums.statistics()
    assert found.means.tolist() == [[65534.5, 65535.0]]
    assert found.covariances.tolist() == [[[0.25, 0.0], [0.0, 0.0]]]


def test_floats_far_from_zero_keep_their_variance() -> None:
    rng = np.random.default_rng(1)
    values = (1e7 + rng.normal(0, 1, (32, 64, 1))).astype(np.float64)
    sums = ClassSums(np.array([[1e7]]), values.dtype)

    sums.add(values, np.zeros((32, 64), np.int32))

    assert sums.statistics().covariances.item() == pytest.approx(values.var(), rel=1e-9)


def test_a_class_without_pixels_has_no_mean() -> None:
    found = gathered(*labelled("uint8"), 16)

    assert np.isnan(found.means[4]).all()
    assert np.isnan(found.covariances[4]).all()
    assert np.isnan(found.separability[4]).all()
    assert found.nearest[4] is None
    assert found.nearest[0] == 1


def test_the_mean_squared_distance_is_that_of_the_pixels() -> None:
    values, labels = labelled("uint8")
    centers, units = np.full((N_CLASSES, 3), 111.0), np.array([2.0, 1.0, 4.0])

    found = gathered(values, labels, 16).mean_squared_distances(centers, units)

    for label in range(N_CLASSES - 1):
        gaps = (values[labels == label] - centers[label]) / units
        assert found[label] == pytest.approx((gaps**2).sum(axis=1).mean(), rel=1e-12)


def test_sizes_are_counted_and_weighed() -> None:
    class Lines:
        constant = None

        def of_lines(self, top: int, n_lines: int) -> NDArray[np.float64]:
            return np.arange(top, top + n_lines, dtype=np.float64)[:, None]

    labels = labelled("uint8")[1]
    count = SizeCount(N_CLASSES, Lines())  # type: ignore[arg-type]
    count.add(0, labels[:20])
    count.add(20, labels[20:])

    sizes = count.sizes()

    assert sizes.areas is not None
    assert sizes.pixels.tolist() == [int((labels == label).sum()) for label in range(N_CLASSES)]
    assert sizes.missing == int((labels == -1).sum())
    lines = np.arange(53)[:, None]
    expected = [float((lines * (labels == label)).sum()) for label in range(N_CLASSES)]
    assert sizes.areas.tolist() == expected
    assert sizes.shares.sum() == pytest.approx(1)


def test_equal_areas_are_counted_exactly() -> None:
    class Equal:
        constant = 900.0

    count = SizeCount(2, Equal())  # type: ignore[arg-type]
    count.add(0, np.array([[0, 0, -1, 1]], np.int32))

    sizes = count.sizes()
    assert sizes.areas is not None
    assert sizes.areas.tolist() == [1800.0, 900.0]


def test_separability_is_that_of_normal_distributions() -> None:
    means = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 0.0]])
    covariances = np.array([np.eye(2), np.eye(2), 4 * np.eye(2)])

    apart = jeffries_matusita(means, covariances, np.array([100, 100, 100]), rounding=0.0)

    assert apart[0, 1] == pytest.approx(2 * (1 - np.exp(-9 / 8)), rel=1e-5)
    # Means alike: half of ln(|2.5 I| / sqrt(|I| |4 I|)) = half of ln(6.25 / 4).
    assert apart[0, 2] == pytest.approx(2 * (1 - np.exp(-np.log(6.25 / 4) / 2)), rel=1e-5)
    np.testing.assert_array_equal(apart, apart.T)
    assert (np.diag(apart) == 0).all()


def test_separability_does_not_depend_on_the_bands_units() -> None:
    found = gathered(*labelled("float64"), 16)
    scales = np.array([1e-4, 1.0, 1e5])

    scaled = jeffries_matusita(
        found.means * scales,
        found.covariances * np.outer(scales, scales),
        np.array([99, 99, 99, 99, 0]),
        rounding=0.0,
    )

    np.testing.assert_allclose(scaled[:4, :4], found.separability[:4, :4], rtol=1e-9)


def test_classes_that_do_not_vary_can_be_compared() -> None:
    for rounding in [0.0, 1 / 12]:
        means = np.array([[5.0, 1.0], [6.0, 1.0], [5.0, 1.0]])

        apart = jeffries_matusita(means, np.zeros((3, 2, 2)), np.array([50, 50, 50]), rounding=rounding)

        assert np.isfinite(apart).all()
        assert apart[0, 2] == 0
        assert apart[0, 1] > 1.5


def test_a_class_of_few_pixels_is_not_compared() -> None:
    apart = jeffries_matusita(np.zeros((2, 3)), np.zeros((2, 3, 3)), np.array([3, 50]))

    assert np.isnan(apart[0]).all()
    assert np.isnan(apart[:, 0]).all()
    assert apart[1, 1] == 0
