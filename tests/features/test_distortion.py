"""The image distortion model: against a slow one, and where it must not change."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from instruction_sets import on_every_cpu
from kmosaic import _core
from kmosaic.engines.distortion import DistortionOptions, distortions, distortions_both_ways
from kmosaic.features import DistortionDistance


def slow_square(image: NDArray[np.int8], reference: NDArray[np.int8], warp: int) -> int:
    """Keysers et al., section 3.3, pixel by pixel: images are (2, height, width) gradients."""
    _, height, width = image.shape
    reach = warp + 1
    outside = ((0, 0), (reach, reach), (reach, reach))
    a, b = (np.pad(gradients.astype(np.int64), outside) for gradients in (image, reference))
    total = 0
    for y, x in product(range(reach, reach + height), range(reach, reach + width)):
        context = a[:, y - 1 : y + 2, x - 1 : x + 2]
        total += min(
            int(((context - b[:, v - 1 : v + 2, u - 1 : u + 2]) ** 2).sum())
            for v, u in product(range(y - warp, y + warp + 1), range(x - warp, x + warp + 1))
        )
    return total


def images_of(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (4, int(np.prod(shape))), dtype=np.uint8)


@cache
def slow_squares(shape: tuple[int, int, int], warp: int) -> list[list[int]]:
    gradients = DistortionDistance(warp=warp, image_shape=shape).describe(images_of(shape))
    return [[slow_square(a, b, warp) for b in gradients] for a in gradients[:2]]


@on_every_cpu
def test_as_a_slow_one_has_it() -> None:
    for shape, warp in product(
        [(28, 28, 1), (5, 9, 1), (1, 1, 1), (1, 40, 1), (33, 3, 1), (12, 10, 3)], [0, 1, 2, 3]
    ):
        X = images_of(shape)
        found = DistortionDistance(warp=warp, image_shape=shape).pairwise(X[:2], X)
        assert (found == np.sqrt(slow_squares(shape, warp))).all(), (shape, warp)


@on_every_cpu
def test_the_nearest_are_those_of_all() -> None:
    for n_nearest in [1, 4, 30]:
        X = np.random.default_rng(8).integers(0, 3, (30, 81), dtype=np.uint8) * np.uint8(80)
        X[:, :36] = 0
        X[20:] = X[:10]
        levels = DistortionDistance().describe(X)
        everyone = np.broadcast_to(np.arange(30, dtype=np.int32), (30, 30)).copy()
        all_of_them = distortions(levels, levels, everyone, DistortionOptions(1), 2)
        nearest = distortions_both_ways(levels, levels, everyone, DistortionOptions(1, n_nearest), 2)
        for expected, found in ((all_of_them, nearest.forth), (all_of_them.T, nearest.back)):
            most = np.sort(expected, axis=1)[:, n_nearest - 1, None]
            farther = np.iinfo(np.int64).max
            assert (found == np.where(expected <= most, expected, farther)).all(), n_nearest


def slow_levels(image: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sobel's operator on 0..255, in steps of 24 and at most 30 of them."""
    height, width = image.shape
    out = np.zeros((2, height, width), np.int64)
    padded = np.pad(image, 1, mode="edge")
    weights = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    for y, x in product(range(height), range(width)):
        window = padded[y : y + 3, x : x + 3]
        for plane, mask in enumerate((weights, weights.T)):
            value = (window * mask).sum()
            out[plane, y, x] = np.sign(value) * min((abs(value) + 12) // 24, 30)
    return out


def test_gradients_as_slow_ones_have_them() -> None:
    X = np.random.default_rng(4).integers(0, 256, (3, 63), dtype=np.uint8)
    X[:, 0], X[:, 1] = 0, 255  # the whole range, so that it is not stretched
    fast = DistortionDistance(image_shape=(7, 9, 1)).describe(X)
    for image, levels in zip(X, fast, strict=True):
        assert (levels == slow_levels(image.reshape(7, 9).astype(np.float64))).all()


def test_a_stroke_that_moves_no_farther_than_warp_costs_nothing() -> None:
    image = np.zeros((16, 16), np.uint8)
    image[5:11, 6:9] = 255
    moved = np.stack([np.roll(image, (down, across), (0, 1)) for down, across in ((2, -2), (0, 1), (3, 0))])
    far = DistortionDistance(warp=2).pairwise(image.reshape(1, -1), moved.reshape(3, -1))[0]
    assert far[0] == far[1] == 0
    assert far[2] > 0


def test_all_of_the_image_must_be_found_but_not_all_of_the_reference() -> None:
    part = np.zeros((16, 16), np.uint8)
    part[3, 2:14] = 255
    whole = part.copy()
    whole[11, 2:14] = 255
    far = DistortionDistance(warp=3).pairwise(np.stack([part, whole]).reshape(2, -1))
    assert far[0, 1] == 0
    assert far[1, 0] > 0


def test_brightness_that_is_shifted_and_scaled_changes_nothing() -> None:
    X = np.random.default_rng(5).integers(0, 256, (6, 100), dtype=np.uint8)
    expected = DistortionDistance().pairwise(X)
    for other in (X.astype(np.uint16) * 257, X.astype(np.float32) / 255 - 3, X * 1e90):
        assert DistortionDistance().pairwise(other) == pytest.approx(expected, rel=0.02)


def test_images_of_one_colour_are_alike() -> None:
    for shape in [(1, 1, 1), (6, 6, 1), (6, 6, 3)]:
        blank = np.repeat(np.array([[0], [9], [255]], np.uint8), int(np.prod(shape)), axis=1)
        assert not DistortionDistance(image_shape=shape).pairwise(blank).any()


def test_of_a_colour_pixel_the_strongest_channel_counts() -> None:
    grey = np.random.default_rng(2).integers(0, 256, (3, 8, 8)).astype(np.uint8)
    colour = np.stack([np.full_like(grey, 100), grey, grey // 2 + 60], axis=3)
    in_colour = DistortionDistance(image_shape=(8, 8, 3)).describe(colour.reshape(3, -1))
    assert (in_colour == DistortionDistance().describe(grey.reshape(3, -1))).all()


def test_the_number_of_threads_changes_nothing() -> None:
    X = np.random.default_rng(6).integers(0, 256, (150, 64), dtype=np.uint8)
    one, three = (DistortionDistance(n_threads=n).pairwise(X) for n in (1, 3))
    assert one.tobytes() == three.tobytes()


def test_what_cannot_be_compared() -> None:
    distance = DistortionDistance()
    with pytest.raises(ValueError, match="one size"):
        distance.pairwise(np.zeros((1, 16)), np.zeros((1, 25)))
    with pytest.raises(ValueError, match="NaN"):
        distance.describe(np.full((1, 16), np.nan))
    with pytest.raises(ValueError, match="too large"):
        distance.describe(np.full((1, 16), 1e200))
    with pytest.raises(ValueError, match="warp=17 must be"):
        DistortionDistance(warp=17)
    levels = distance.describe(np.zeros((2, 16)))
    with pytest.raises(ValueError, match="numbers of references"):
        distance.to_candidates(levels, levels, np.array([[0], [2]]))
    with pytest.raises(ValueError, match="from -30 to 30"):
        distance.to_candidates(levels + np.int8(31), levels, np.array([[0], [1]]))
    assert _core.MAX_WARP == 16
