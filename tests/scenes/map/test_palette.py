"""Colours that differ, and colours of the ground."""

from __future__ import annotations

import numpy as np

from kmosaic.scenes.map.palette import _gaps, _views, distinct_colours, ground_colours


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
    centers = np.array([[10.0, 500.0, 3.0], [40.0, 400.0, 3.0], [60.0, 900.0, 3.0]])

    colours = ground_colours(centers, np.array([10, 10, 10]), (1, 0, 2))

    assert colours[:, 0].argsort().tolist() == [1, 0, 2]  # red is the second band
    assert colours[:, 1].argsort().tolist() == [0, 1, 2]
    assert (colours[:, 2] == 128).all()


def least_gap(colours: np.ndarray) -> float:
    """In Oklab, between the two colours that some sight has nearest."""
    seen = _views(colours)
    return min(float(np.sqrt(_gaps(seen[:, :at], seen[:, at]).min())) for at in range(1, len(colours)))


def test_the_same_ground_twice_gets_two_colours_and_the_larger_class_keeps_its() -> None:
    water, land, clouds = [20.0, 25.0, 30.0], [90.0, 110.0, 60.0], [250.0, 251.0, 252.0]
    near = [20.0, 26.0, 30.0]
    centers = np.array([water, near, land, clouds, clouds])
    sizes = np.array([900, 800, 700, 30, 40])

    colours = ground_colours(centers, sizes, (0, 1, 2))
    alone = ground_colours(centers[[0, 2, 3]], np.array([1700, 700, 70]), (0, 1, 2))

    assert least_gap(colours) >= 0.1
    assert np.abs(colours[[0, 2, 4]].astype(int) - alone.astype(int)).max() <= 2
    np.testing.assert_array_equal(colours, ground_colours(centers, sizes, (0, 1, 2)))


def test_red_and_green_that_some_people_see_alike_are_moved_apart() -> None:
    """Of one blue, and as bright: to people without M cones the same brown."""
    centers = np.array([[0.62, 0.40, 0.2], [0.30, 0.533, 0.2], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])

    assert least_gap(ground_colours(centers, np.array([5, 5, 5, 5]), (0, 1, 2))) >= 0.1


def test_many_classes_are_kept_apart_as_far_as_there_is_room() -> None:
    centers = np.random.default_rng(0).normal(100, 5, (255, 3))

    colours = ground_colours(centers, np.arange(255), (0, 1, 2))

    assert len(np.unique(colours, axis=0)) == 255
    assert least_gap(colours) > 0.02


def test_classes_without_pixels_have_colours_too() -> None:
    for sizes in [np.array([0, 0]), np.array([5, 0])]:
        assert ground_colours(np.array([[1.0], [2.0]]), sizes, (0, 0, 0)).shape == (2, 3)
