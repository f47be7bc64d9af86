"""Pixel values as tiles and PNG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from kmosaic.models.image_model import ImageFormat
from kmosaic.report.tiles import display_range, largest_side, png, reduced, tile_size, tiles


def test_uint8_of_full_range_is_shown_as_it_is() -> None:
    pixels = np.arange(2 * 12, dtype=np.uint8).reshape(2, 12)
    shown = tiles(pixels, ImageFormat(3, 4, 1, "uint8", 255))
    np.testing.assert_array_equal(shown, pixels.reshape(2, 3, 4))


def test_a_smaller_brightest_value_is_white() -> None:
    shown = tiles(np.array([[0, 8, 16, 4]], np.uint8), ImageFormat(2, 2, 1, "uint8", 16))
    assert shown.tolist() == [[[0, 128], [255, 64]]]


def test_sixteen_bit_images_are_stretched_to_what_they_reach() -> None:
    pixels = np.array([[0, 4095, 2047, 0]], np.uint16)
    assert tiles(pixels, ImageFormat(2, 2, 1, "uint16", 65535)).max() == 255


def test_constant_images_do_not_divide_by_zero() -> None:
    assert tiles(np.zeros((1, 4)), ImageFormat(2, 2, 1, "float64", 1.0)).tolist() == [[[0, 0], [0, 0]]]
    assert tiles(np.full((1, 4), -3.0), ImageFormat(2, 2, 1, "float64", 1.0)).tolist() == [[[0, 0], [0, 0]]]


def test_any_number_of_channels_is_drawn() -> None:
    for channels, shape in [(1, (2, 3)), (2, (2, 3)), (3, (2, 3, 3)), (5, (2, 3, 3))]:
        pixels = np.zeros((4, 6 * channels), np.uint8)
        assert tiles(pixels, ImageFormat(2, 3, channels, "uint8", 255)).shape == (4, *shape)


def test_one_scale_serves_several_blocks_of_rows() -> None:
    form = ImageFormat(2, 2, 1, "float32", 1.0)
    everything = np.array([[0.0, 1, 2, 4]], np.float32)
    part = tiles(np.array([[0.0, 1, 2, 2]]), form, display_range(everything, form))
    assert part.max() == 128


def test_vectors_become_bar_codes_of_a_quarter_their_length() -> None:
    assert tile_size(ImageFormat(1, 64, 1, "float64", 1.0)) == (16.0, 64.0)
    assert tile_size(ImageFormat(64, 1, 1, "float64", 1.0)) == (64.0, 16.0)


def test_png_loses_nothing() -> None:
    for shape in [(5, 7), (5, 7, 3), (1, 9)]:
        tile = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(tile)))), tile)


def test_large_tiles_are_reduced_and_small_ones_left() -> None:
    tile = np.full((300, 200, 3), 7, np.uint8)
    assert reduced(tile, 96).shape == (96, 64, 3)
    assert (reduced(tile, 96) == 7).all()
    assert reduced(tile[:50, :50], 96).shape == (50, 50, 3)
    assert [largest_side(n) for n in (1, 1000, 10**6)] == [96, 38, 16]
