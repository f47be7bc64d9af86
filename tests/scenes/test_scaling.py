"""Scaling: exact statistics of all pixels, the same to the bit for every height of strips."""

from __future__ import annotations

import json
import math
import tracemalloc
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes import segment
from kmosaic.scenes.fit.fit_scaling import fit_scaling
from kmosaic.scenes.io.array_scene import as_scene
from kmosaic.scenes.io.read_options import ReadOptions
from kmosaic.scenes.scaling import METHODS, Scaling
from kmosaic.scenes.stats.moments import exact_sum
from kmosaic.scenes.stats.order_statistics import OrderStatistics

DTYPES = ("uint8", "uint16", "float32", "float64")
RNG = np.random.default_rng(11)
# Bands that vary by less than 1e-100 are refused: here their values are all 0.
FLOATS = {
    32: st.floats(-(2.0**100), 2.0**100, width=32),
    64: st.floats(-1e100, 1e100).map(lambda value: value if abs(value) > 1e-80 else 0.0),
}


@st.composite
def scenes(draw: st.DrawFn) -> NDArray[Any]:
    """Bands (n_bands, n_lines, n_columns) of any dtype; floats of any magnitudes, NaN among them."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 5)))
    if dtype.kind == "u":
        return draw(hnp.arrays(dtype, shape))
    some = FLOATS[dtype.itemsize * 8] | st.sampled_from([0.0, -0.0, math.nan, 1.0, 1e-30])
    return draw(hnp.arrays(dtype, shape, elements=some))


def fractions(values: NDArray[Any]) -> list[Fraction]:
    return [Fraction(float(value)) for value in values]


def reference(pixels: NDArray[Any], method: str) -> tuple[list[float], list[float]]:
    """Shift and spread of each band, by rational arithmetic."""
    shift, spread = [], []
    for band in pixels.T:
        values = sorted(fractions(band))
        n = len(values)
        if method == "standard":
            mean = sum(values) / n
            shift.append(float(mean))
            spread.append(math.sqrt(float(sum((value - mean) ** 2 for value in values) / n)))
            continue
        ends = []
        for percent in (2, 98) if method == "percentile" else (0, 100):
            place = Fraction(percent) / 100 * (n - 1)
            low, high = values[math.floor(place)], values[math.ceil(place)]
            ends.append(float(low + (high - low) * (place - math.floor(place))))
        shift.append(ends[0])
        spread.append(ends[1] - ends[0])
    return shift, spread


@settings(max_examples=200, deadline=None)
@given(bands=scenes(), method=st.sampled_from(METHODS[1:]), strip_lines=st.integers(1, 10))
def test_scaling_is_exact_for_every_height_of_strips(
    bands: NDArray[Any], method: str, strip_lines: int
) -> None:
    scene = as_scene(bands)
    pixels = scene.read(0, scene.grid.height).pixels()
    if not len(pixels):
        with pytest.raises(DataError, match="no valid pixel"):
            fit_scaling(scene, method, strip_lines)
        return
    scaling = fit_scaling(scene, method, strip_lines)
    assert scaling == fit_scaling(scene, method, scene.grid.height)
    shift, spread = reference(pixels, method)
    assert scaling.shift == tuple(shift)
    for band, (factor, expected) in enumerate(zip(scaling.factor, spread, strict=True)):
        if band in scaling.constant:
            assert factor == 1
            # squares of differences below 1e-160 are nothing
            assert expected < 1e-160 or not math.isfinite(1 / expected)
        else:
            assert factor == pytest.approx(1 / expected, rel=1e-15 if method != "standard" else 1e-6)


def test_scaling_agrees_with_numpy() -> None:
    for dtype, method in product(DTYPES, METHODS[1:]):
        bands = RNG.normal(120, 20, (4, 300, 257)).astype(dtype)
        pixels = bands.reshape(4, -1).astype(np.float64)
        scaling = fit_scaling(as_scene(bands), method, 37)
        if method == "standard":
            shift, spread = pixels.mean(axis=1), pixels.std(axis=1)
        else:
            low, high = np.percentile(pixels, (0, 100) if method == "min-max" else (2, 98), axis=1)
            shift, spread = low, high - low
        np.testing.assert_allclose(scaling.shift, shift, rtol=1e-13)
        np.testing.assert_allclose(scaling.factor, 1 / spread, rtol=1e-12)


def test_a_deviation_far_from_zero_does_not_cancel() -> None:
    bands = (1e9 + RNG.normal(0, 1e-3, (1, 100, 100))).astype(np.float64)
    exact = reference(bands.reshape(1, -1).T, "standard")
    scaling = fit_scaling(as_scene(bands), "standard", 7)
    assert scaling.shift == tuple(exact[0])
    assert scaling.factor[0] == pytest.approx(1 / exact[1][0], rel=1e-7)


def test_missing_pixels_do_not_count() -> None:
    bands = RNG.integers(1, 100, (2, 40, 30)).astype(np.float32)
    bands[0, RNG.random((40, 30)) < 0.3] = -9999
    scene = as_scene(bands, ReadOptions(nodata=-9999))
    present = bands[:, bands[0] != -9999].T
    for method in METHODS[1:]:
        shift, _ = reference(present, method)
        assert fit_scaling(scene, method, 7).shift == tuple(shift)


@given(
    hnp.arrays(
        np.float64, st.integers(0, 50), elements=st.floats(allow_nan=False, allow_infinity=False, width=64)
    )
)
def test_sums_are_exact(values: NDArray[np.float64]) -> None:
    values = values[np.abs(values) < 1e300]
    assert Fraction(exact_sum(values), 1 << 1074) == sum(fractions(values), Fraction(0))


def test_ranks_are_found_among_values_of_all_magnitudes() -> None:
    ranks = [0, 17, 2500, 2501, 4999]
    for dtype in ["float32", "float64"]:
        values = (RNG.normal(size=(5000, 2)) * 10.0 ** RNG.integers(-30, 30, (5000, 2))).astype(dtype)
        search = OrderStatistics(np.dtype(dtype), 2, lambda _: ranks)
        for number in range(search.n_passes):
            counts = search.counts(number)
            for block in np.array_split(values, 7):
                counts.add(block)
            search.narrow(counts)
        np.testing.assert_array_equal(search.values(), np.sort(values, axis=0)[ranks].T)


def test_a_constant_band_has_a_factor_of_1_and_is_named() -> None:
    for method, dtype in product(METHODS[1:], DTYPES):
        bands = RNG.integers(1, 100, (3, 10, 10)).astype(dtype)
        bands[1] = 42
        scaling = fit_scaling(as_scene(bands), method, 3)
        assert scaling.constant == (1,)
        assert (scaling.shift[1], scaling.factor[1]) == (42, 1)


def test_bands_whose_squares_would_vanish_are_refused() -> None:
    for method, unit in product(METHODS[1:], [5e-324, 1e-310, 1e-200, 1e-102]):
        bands = np.random.default_rng(0).integers(0, 5, (2, 30, 20)).astype(float)
        bands[1] *= unit
        with pytest.raises(DataError, match="band 2.*1e-100"):
            fit_scaling(as_scene(bands), method, 7)


def test_bands_of_any_magnitude_are_like_those_of_one() -> None:
    for method, unit in product(METHODS[1:], [1e-99, 1e99]):
        bands = np.random.default_rng(0).integers(0, 5, (2, 30, 20)).astype(float)
        plain = segment(bands, 3, scaling=method)
        tiny = segment(bands * [[[unit]], [[1]]], 3, scaling=method)
        np.testing.assert_allclose(tiny.inertia, plain.inertia, rtol=1e-6)
        np.testing.assert_allclose(
            tiny.table.mean_squared_distances, plain.table.mean_squared_distances, rtol=1e-5
        )
        assert tiny.statistics is not None
        assert plain.statistics is not None
        np.testing.assert_allclose(tiny.statistics.deviations[:, 0], plain.statistics.deviations[:, 0] * unit)


@pytest.mark.parametrize("method", METHODS[1:])
def test_memory_is_a_strip_and_little_more(method: str) -> None:
    bands = RNG.normal(size=(4, 500, 1000)).astype(np.float32)
    bands[:, 250] = np.nan
    scene = as_scene(bands)
    strip = 250 * 1000 * 4 * 4
    tracemalloc.start()
    try:
        fit_scaling(scene, method, 250)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < strip + 12_000_000


def test_progress_counts_the_lines_of_all_passes() -> None:
    scene = as_scene(RNG.normal(size=(1, 10, 10)).astype(np.float32))
    told: list[tuple[int, int]] = []
    fit_scaling(scene, "percentile", 4, lambda done, n: told.append((done, n)))
    assert told == [(4, 20), (8, 20), (10, 20), (14, 20), (18, 20), (20, 20)]


def test_the_percentiles_are_the_2nd_and_the_98th() -> None:
    bands = np.arange(101, dtype=np.uint8).reshape(1, 1, 101)
    scaling = fit_scaling(as_scene(bands), "percentile", 1)
    assert (scaling.shift, scaling.factor) == ((2,), (1 / 96,))


def test_a_method_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="method='z-score'"):
        fit_scaling(as_scene(np.ones((1, 2, 2))), "z-score", 1)


# Rows


def test_rows_are_computed_in_float64_and_rounded_once() -> None:
    for dtype in DTYPES:
        scaling = Scaling("standard", (1e3 / 3, 0.1), (1 / 7, 3.0))
        values = RNG.integers(0, 250, (100_000, 2)).astype(dtype)
        rows = scaling.rows(values)
        expected = (values.astype(np.float64) - np.array(scaling.shift)) * np.array(scaling.factor)
        assert rows.dtype == np.float32 == scaling.dtype(values.dtype)
        np.testing.assert_array_equal(rows, expected.astype(np.float32))
        out = np.zeros((100_000, 2), np.float32)
        assert scaling.rows(values, out) is out
        np.testing.assert_array_equal(out, rows)


def test_none_returns_what_it_is_given() -> None:
    values = RNG.integers(0, 250, (10, 2)).astype(np.uint8)
    scaling = Scaling.none(2)
    assert scaling.rows(values) is values
    assert scaling.dtype(values.dtype) == np.uint8
    assert fit_scaling(as_scene(values.T.reshape(2, 2, 5)), "none", 1) == scaling


def test_centres_are_scaled_back() -> None:
    scaling = Scaling("min-max", (10.0, -5.0), (0.25, 4.0))
    values = np.array([[10.0, -5.0], [14.0, 3.0]])
    np.testing.assert_array_equal(scaling.unscale(scaling.rows(values)), values)


def test_values_that_leave_float32_are_refused() -> None:
    with pytest.raises(DataError, match="float32"):
        Scaling("standard", (0.0,), (1e30,)).rows(np.array([[1e20]]))


# Model files


@settings(max_examples=100, deadline=None)
@given(bands=scenes(), method=st.sampled_from(METHODS))
def test_a_scaling_survives_json_to_the_bit(bands: NDArray[Any], method: str) -> None:
    scene = as_scene(np.nan_to_num(bands))
    scaling = fit_scaling(scene, method, 3)
    assert Scaling.from_dict(json.loads(json.dumps(scaling.to_dict()))) == scaling


GOOD = {"method": "standard", "shift": [1.0, 2.0], "factor": [1.0, 0.5], "constant": [0]}


def test_what_is_no_scaling_is_refused() -> None:
    for change in [
        {"method": "eval"},
        {"method": None},
        {"shift": [1.0]},
        {"shift": [1.0, math.nan]},
        {"shift": [1.0, "2"]},
        {"shift": "12"},
        {"factor": [1.0, 0.0]},
        {"factor": [1.0, -1.0]},
        {"factor": [1.0, math.inf]},
        {"factor": [1.0, True]},
        {"shift": [], "factor": [], "constant": []},
        {"constant": [2]},
        {"constant": [True]},
        {"constant": 0},
        {"more": 1},
    ]:
        assert Scaling.from_dict(GOOD).n_bands == 2
        with pytest.raises(ValueError, match="must|needed"):
            Scaling.from_dict(GOOD | change)


def test_other_types_are_refused() -> None:
    for given_instead in [None, [], "standard", {}, {"method": "none"}]:
        with pytest.raises(ValueError, match="scaling"):
            Scaling.from_dict(given_instead)
