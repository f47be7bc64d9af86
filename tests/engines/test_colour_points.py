"""Points of colours, nearest palette colours and error diffusion, beside slow and obvious ones."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines.colour_points import (
    CHROMA_OFFSET,
    UNIT,
    ColourSpace,
    Diffusion,
    merge_points,
    nearest_in_palette,
)

STRIP, WARM_UP = 64, 8  # rows


def reference_oklab(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Ottosson (2020) in float64."""
    values = colours / np.iinfo(colours.dtype).max
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    from_cones = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.cbrt(light @ np.transpose(to_cones)) @ np.transpose(from_cones)


def test_oklab_is_that_of_float64() -> None:
    for dtype in [np.uint8, np.uint16]:
        random = np.random.default_rng(0)
        colours = random.integers(0, np.iinfo(dtype).max + 1, (20_000, 3)).astype(dtype)
        points = ColourSpace("oklab").points(colours, 2).astype(np.float64) - [
            0,
            CHROMA_OFFSET,
            CHROMA_OFFSET,
        ]
        errors = np.abs(points - UNIT * reference_oklab(colours))
        assert errors.max() < 2.0
        assert errors.mean() < 0.35


def test_greys_have_no_chroma_and_keep_their_order() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 3, axis=1)
    for name in ("oklab", "srgb", "linear"):
        points = ColourSpace(name).points(greys, 1).astype(int)
        assert (np.diff(points[:, 0]) > 0).all()
        if name == "oklab":
            assert (points[:, 1:] == CHROMA_OFFSET).all()


def test_8_and_16_bits_agree() -> None:
    colours = np.random.default_rng(1).integers(0, 256, (500, 4), dtype=np.uint8)
    for name in ("oklab", "srgb", "linear"):
        space = ColourSpace(name)
        assert (space.points(colours, 1) == space.points(colours.astype(np.uint16) * 257, 1)).all()


def test_alpha_is_premultiplied() -> None:
    colours = np.array([[255, 255, 255, 0], [255, 255, 255, 255], [200, 10, 10, 0]], np.uint8)
    points = ColourSpace("oklab").points(colours, 1)
    assert points[0].tolist() == points[2].tolist() == [0, CHROMA_OFFSET, CHROMA_OFFSET, 0]
    assert points[1].tolist() == [UNIT, CHROMA_OFFSET, CHROMA_OFFSET, UNIT]


def test_nearest_is_that_of_all_compared() -> None:
    for features, spread in product([3, 4], [40, 3000, UNIT]):
        random = np.random.default_rng(spread)
        for k in (1, 2, 17, 256):
            palette = random.integers(0, spread + 1, (k, features)).astype(np.uint16)
            points = random.integers(0, min(2 * spread, UNIT) + 1, (3000, features)).astype(np.uint16)
            squares = np.square(points[:, None].astype(np.int64) - palette.astype(np.int64)).sum(axis=2)
            expected = squares.argmin(axis=1)
            for n_threads in (1, 3):
                assert (nearest_in_palette(points, palette, n_threads) == expected).all()


def slow_diffusion(
    points: NDArray[np.int64], palette: NDArray[np.int64], how: Diffusion, flat: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Pixel by pixel, in Python's own numbers; without alpha, within Oklab's gamut."""
    low = np.array([0, CHROMA_OFFSET - 3932, CHROMA_OFFSET - 5243])
    high = np.array([UNIT, CHROMA_OFFSET + 4588, CHROMA_OFFSET + 3277])
    height, width = points.shape[:2]
    labels = np.full((height, width), -1)
    for kept in range(0, height, STRIP):
        errors = np.zeros((height + 1, width + 2, 3), np.int64)
        for y in range(max(0, kept - WARM_UP), min(kept + STRIP, height)):
            step = 1 if y % 2 == 0 else -1
            for x in range(width)[::step]:
                own = points[y, x]
                direct = np.square(palette - own).sum(axis=1)
                if flat[y, x] and direct.min() <= how.max_flat**2:
                    if y >= kept:
                        labels[y, x] = direct.argmin()
                    continue
                error = (errors[y, x + 1] * how.strength + 2048) >> 12
                length = float(np.square(error).sum())
                if length > how.max_error**2:
                    error = np.trunc(error * (how.max_error / np.sqrt(length))).astype(np.int64)
                wanted = np.clip(own + error, low, high)
                label = np.square(palette - wanted).sum(axis=1).argmin()
                if y >= kept:
                    labels[y, x] = label
                left = wanted - palette[label]
                errors[y, x + 1 + step] += 7 * left
                errors[y + 1, x + 1 - step] += 3 * left
                errors[y + 1, x + 1] += 5 * left
                errors[y + 1, x + 1 + step] += left
    return labels


def test_diffusion_is_the_slow_one() -> None:
    for strength in [0, 100, 256]:
        random = np.random.default_rng(strength)
        ramp = np.linspace(0, 200, 30)[np.newaxis, :, np.newaxis]
        picture = np.clip(ramp + random.integers(0, 56, (140, 30, 3)), 0, 255).astype(np.uint8)
        picture[20:40, 5:15] = (90, 120, 60)  # flat
        space = ColourSpace("oklab")
        palette = space.points(random.integers(0, 256, (9, 3)).astype(np.uint8), 1)
        how = Diffusion(strength, UNIT // 12, UNIT // 10)
        flat = np.zeros((140, 30), bool)
        for y in range(1, 139):
            for x in range(1, 29):
                flat[y, x] = (picture[y - 1 : y + 2, x - 1 : x + 2] == picture[y, x]).all()
        points = space.points(picture.reshape(-1, 3), 1).reshape(picture.shape).astype(np.int64)
        expected = slow_diffusion(points, palette.astype(np.int64), how, flat)
        for n_threads in (1, 2, 7):
            assert (space.diffuse(picture, palette, how, n_threads) == expected).all()


def test_no_error_passes_an_edge_of_alpha() -> None:
    picture = np.full((9, 12, 4), 128, np.uint8)
    picture[..., 3] = 255
    picture[:, 4:8, 3] = 0
    space = ColourSpace("oklab")
    palette = space.points(np.array([[0, 0, 0, 255], [255, 255, 255, 255]], np.uint8), 1)
    how = Diffusion(256, UNIT, 0)
    labels = space.diffuse(picture, palette, how, 1)
    assert (labels[:, 4:8] == 2).all()
    other = picture.copy()
    other[:, :4, :3] = 230  # what is left of the gap must not reach what is right of it
    assert (space.diffuse(other, palette, how, 1)[:, 8:] == labels[:, 8:]).all()


def test_merged_points_are_weighted_means() -> None:
    random = np.random.default_rng(2)
    points = random.integers(0, UNIT + 1, (5000, 3)).astype(np.uint16)
    counts = random.integers(1, 50, 5000)
    for most in (1, 40, 2000, 5000):
        merged, totals = merge_points(points, counts, most)
        assert len(merged) == len(totals) <= max(most, 8)
        assert totals.sum() == counts.sum()
        mean = (points * counts[:, None]).sum(axis=0) / counts.sum()
        assert np.abs((merged * totals[:, None]).sum(axis=0) / totals.sum() - mean).max() < 1
