"""Colours that differ, and colours of the ground."""

from __future__ import annotations

import numpy as np
import pytest

from kmosaic.scenes.map.palette import distinct_colours, ground_colours


def test_more_classes_keep_the_colours_of_fewer() -> None:
    np.testing.assert_array_equal(distinct_colours(255)[:12], distinct_colours(12))


def test_256_classes_have_256_colours_none_of_them_black_or_white() -> None:
    colours = distinct_colours(256)

    assert len(np.unique(colours, axis=0)) == 256
    brightness = colours.astype(int).sum(axis=1)
    assert brightness.min() > 60
    assert brightness.max() < 3 * 255 - 10


def test_past_256_the_colours_come_again() -> None:
    np.testing.assert_array_equal(distinct_colours(300)[256:], distinct_colours(44))


def test_ground_is_coloured_by_its_means() -> None:
    centers = np.array([[10.0, 500.0, 3.0], [20.0, 400.0, 3.0], [60.0, 900.0, 3.0]])

    colours = ground_colours(centers, np.array([10, 10, 1]), (1, 0, 2))

    assert colours[:, 0].argsort().tolist() == [1, 0, 2]  # red is the second band
    assert colours[:, 1].argsort().tolist() == [0, 1, 2]
    assert (colours[:, 2] == 128).all()


@pytest.mark.parametrize("sizes", [np.array([0, 0]), np.array([5, 0])])
def test_classes_without_pixels_have_colours_too(sizes: np.ndarray) -> None:
    assert ground_colours(np.array([[1.0], [2.0]]), sizes, (0, 0, 0)).shape == (2, 3)
