"""Slanted strokes are set upright; everything else stays as it is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from kmosaic.features import Deskew


def stroke(slant: float, dtype: str = "uint8", size: int = 21) -> np.ndarray:
    """A vertical stroke, sheared about its middle."""
    y, x = np.mgrid[:size, :size] - size // 2
    ink = np.clip(2 - np.abs(x - slant * y), 0, 1) * (np.abs(y) < 7)
    return (200 * ink).astype(dtype).reshape(1, -1)


def covariance(row: np.ndarray, size: int = 21) -> float:
    y, x = np.mgrid[:size, :size]
    ink = row.reshape(size, size).astype(float)
    ink /= ink.sum()
    return float((ink * (x - (ink * x).sum()) * (y - (ink * y).sum())).sum())


def test_a_slanted_stroke_is_set_upright() -> None:
    for slant, dtype in product([-0.6, -0.3, 0.25, 0.6], ["uint8", "uint16", "float32", "float64"]):
        slanted = stroke(slant, dtype)
        straight = Deskew().fit_transform(slanted)
        assert straight.dtype == slanted.dtype
        assert abs(covariance(straight)) < 0.02 * abs(covariance(slanted))
        assert straight.sum(dtype=float) == pytest.approx(slanted.sum(dtype=float), rel=0.01)


def test_as_a_slow_shear_says() -> None:
    image = np.random.default_rng(3).random((9, 8))
    y, x = np.mgrid[:9, :8].astype(float)
    ink = image - image.min()
    mass = ink.sum()
    cy, cx = (ink * y).sum() / mass, (ink * x).sum() / mass
    slant = (ink * (x - cx) * (y - cy)).sum() / (ink * (y - cy) ** 2).sum()
    expected = np.empty_like(image)
    for row in range(9):
        expected[row] = np.interp(x[row] + slant * (row - cy), np.arange(-1, 9), [0, *ink[row], 0], 0, 0)
    out = Deskew(image_shape=(9, 8, 1)).fit_transform(image.reshape(1, -1))
    assert out.reshape(9, 8) == pytest.approx(expected + image.min(), abs=1e-12)


def test_blank_images_stay() -> None:
    for value in [0, 7, 255]:
        blank = np.full((3, 64), value, np.uint8)
        assert (Deskew().fit_transform(blank) == blank).all()
        assert (Deskew(centre=True).fit_transform(blank) == blank).all()


def test_a_level_line_stays() -> None:
    line = np.zeros((1, 7, 7))
    line[0, 3, 1:6] = 0.3
    assert (Deskew().fit_transform(line.reshape(1, 49)) == line.reshape(1, 49)).all()


def test_brightness_that_is_shifted_and_scaled_shifts_and_scales_the_result() -> None:
    image = stroke(0.4, "float64")
    moved = Deskew().fit_transform(3 * image - 500)
    assert moved == pytest.approx(3 * Deskew().fit_transform(image) - 500, abs=1e-9)


def test_channels_share_one_slant() -> None:
    grey = stroke(0.4, "float64")
    colour = np.repeat(grey[..., None], 3, axis=2).reshape(1, -1)
    out = Deskew(image_shape=(21, 21, 3)).fit_transform(colour).reshape(-1, 3)
    assert (out == out[:, :1]).all()
    assert out[:, 0] == pytest.approx(Deskew().fit_transform(grey)[0], abs=1e-9)


def test_the_centre_of_mass_is_moved_to_the_middle() -> None:
    image = np.zeros((21, 21))
    image[2:9, 10:17] = stroke(0.3, "float64").reshape(21, 21)[7:14, 7:14]
    out = Deskew(centre=True).fit_transform(image.reshape(1, -1)).reshape(21, 21)
    y, x = np.mgrid[:21, :21]
    assert [(out * axis).sum() / out.sum() for axis in (y, x)] == pytest.approx([10, 10], abs=0.05)
    assert out.sum() == pytest.approx(image.sum())


def test_the_slant_is_bounded() -> None:
    steep = stroke(2.5)
    assert (Deskew(max_slant=0).fit_transform(steep) == steep).all()
    assert abs(covariance(Deskew(max_slant=0.5).fit_transform(steep))) < abs(covariance(steep))
    with pytest.raises(ValueError, match="max_slant=-1.*0.*100"):
        Deskew(max_slant=-1).fit(steep)


def test_a_very_large_image() -> None:
    large = np.zeros((1, 3000, 2000), np.uint8)
    large[0, 1000:2000, 900:1100] = 255
    out = Deskew(image_shape=(3000, 2000, 1)).fit_transform(large.reshape(1, -1))
    assert (out == large.reshape(1, -1)).all()


def test_values_near_the_largest_stay_finite() -> None:
    random = np.random.default_rng(0)
    images = random.choice(np.array([-3.4e38, 3.4e38], np.float32), (6, 64))
    assert np.isfinite(Deskew().fit_transform(images)).all()
    assert np.isfinite(Deskew(centre=True).fit_transform(images)).all()
