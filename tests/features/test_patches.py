"""A dictionary of patches: against a slow encoding, and on images of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from kmosaic.features import LearnedPatches

SHAPE = (9, 7, 3)


@pytest.fixture(scope="module")
def photos() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (60, 9 * 7 * 3), dtype=np.uint8)


def slow_code(fitted: LearnedPatches, row: NDArray[np.uint8], stride: int) -> NDArray[np.float64]:
    """One image, patch by patch, as the papers have it."""
    offset, scale, floor = fitted.scaling_
    image = (row.astype(float).reshape(SHAPE) - offset) * scale
    grid = [range(0, SHAPE[axis] - 4 + 1, stride) for axis in (0, 1)]
    sums = np.zeros((2, 2, len(fitted.words_)))
    counts = np.zeros((2, 2, 1))
    for i, y in enumerate(grid[0]):
        for j, x in enumerate(grid[1]):
            patch = image[y : y + 4, x : x + 4].ravel()
            patch = (patch - patch.mean()) / np.sqrt(patch.var() + floor)
            patch = (patch - fitted.whitening_mean_) @ fitted.whitening_
            distance = np.linalg.norm(patch - fitted.words_, axis=1)
            pool = int(i >= len(grid[0]) // 2), int(j >= len(grid[1]) // 2)
            sums[pool] += np.maximum(distance.mean() - distance, 0)
            counts[pool] += 1
    return (sums / counts).ravel()


def test_as_a_slow_encoding_has_it(photos: NDArray[np.uint8]) -> None:
    for stride in [1, 2]:
        fitted = LearnedPatches(6, patch_size=4, stride=stride, image_shape=SHAPE).fit(photos)
        fast = fitted.transform(photos[:5])
        slow = np.array([slow_code(fitted, row, stride) for row in photos[:5]])
        assert fast**2 == pytest.approx(slow, abs=1e-4)
        plain = LearnedPatches(6, patch_size=4, stride=stride, square_root=False, image_shape=SHAPE).fit(
            photos
        )
        assert plain.transform(photos[:5]) == pytest.approx(slow, abs=1e-4)


def test_whitened_patches_have_equal_variance(photos: NDArray[np.uint8]) -> None:
    fitted = LearnedPatches(6, patch_size=4, image_shape=SHAPE).fit(photos)
    assert fitted.words_.shape == (6, 48)
    assert np.allclose(fitted.whitening_, fitted.whitening_.T, atol=1e-6)


def test_the_seed_decides(photos: NDArray[np.uint8]) -> None:
    def words(seed: int) -> bytes:
        patches = LearnedPatches(6, patch_size=4, random_state=seed, n_patches=300, image_shape=SHAPE)
        return patches.fit(photos).words_.tobytes()

    assert words(0) == words(0)
    assert words(0) != words(1)


def test_the_scale_of_brightness_changes_nothing(photos: NDArray[np.uint8]) -> None:
    out = LearnedPatches(6, patch_size=4, image_shape=SHAPE).fit_transform(photos)
    other = LearnedPatches(6, patch_size=4, image_shape=SHAPE).fit_transform(photos * 2.0**-20)
    assert other == pytest.approx(out, abs=1e-6)


def test_blank_images_are_all_alike() -> None:
    for shape in [(1, 1, 1), (8, 8, 1), (8, 8, 3)]:
        blank = np.full((20, int(np.prod(shape))), 9, np.uint8)
        out = LearnedPatches(6, image_shape=shape).fit_transform(blank)
        assert np.isfinite(out).all()
        assert (out == out[0]).all()


def test_one_blank_image_among_others(photos: NDArray[np.uint8]) -> None:
    fitted = LearnedPatches(6, patch_size=4, image_shape=SHAPE).fit(photos)
    blank = fitted.transform(np.array([[0] * 189, [255] * 189], np.uint8))
    assert np.isfinite(blank).all()
    assert blank[0] == pytest.approx(blank[1], abs=1e-6)


def test_large_images_have_no_more_patches() -> None:
    large = np.random.default_rng(0).integers(0, 256, (2, 400 * 300), dtype=np.uint8)
    fitted = LearnedPatches(4, image_shape=(400, 300, 1), n_patches=200).fit(large)
    assert fitted._layout().n_positions < 1100
    every = LearnedPatches(4, image_shape=(400, 300, 1), n_patches=200, stride=1).fit_transform(large)
    assert every == pytest.approx(fitted.transform(large), abs=0.1)


def test_parameters_out_of_range_are_refused() -> None:
    for options, message in [
        ({"n_words": 0}, "n_words=0.*1"),
        ({"patch_size": 2.5}, "patch_size=2.5"),
        ({"pools": 2}, "pools=2"),
        ({"stride": 0}, "stride=0.*1"),
        ({"random_state": -1}, "random_state=-1.*0"),
    ]:
        with pytest.raises(ValueError, match=message):
            LearnedPatches(**options).fit(np.zeros((2, 16)))


def test_a_restored_dictionary_must_go_with_its_patches(photos: NDArray[np.uint8]) -> None:
    fitted = LearnedPatches(6, patch_size=4, image_shape=SHAPE).fit(photos)
    state = fitted.state()
    with pytest.raises(ValueError, match=r"float32.*\(6, 47\).*float32.*\(6, 48\)"):
        LearnedPatches.from_state(fitted.parameters(), {**state, "words": state["words"][:, 1:]})
    bad = state["whitening"].copy()
    bad[0, 0] = np.nan
    with pytest.raises(ValueError, match="whitening has NaN"):
        LearnedPatches.from_state(fitted.parameters(), {**state, "whitening": bad})
