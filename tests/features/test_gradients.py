"""Histograms of oriented gradients: against a slow one, and where they must not change."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from kmosaic.features import OrientedGradients


def slow_histograms(image: NDArray[np.float64], n_orientations: int, cells: tuple[int, int]) -> list[float]:
    """Pixel by pixel, as the paper has it."""
    height, width = image.shape
    out = np.zeros((*cells, n_orientations))
    for y in range(height):
        for x in range(width):
            dx = image[y, min(x + 1, width - 1)] - image[y, max(x - 1, 0)]
            dy = image[min(y + 1, height - 1), x] - image[max(y - 1, 0), x]
            turn = (math.atan2(dy, dx) / (2 * math.pi) % 1) * n_orientations
            row = min(max((y + 0.5) * cells[0] / height - 0.5, 0), cells[0] - 1)
            column = min(max((x + 0.5) * cells[1] / width - 0.5, 0), cells[1] - 1)
            for i in range(cells[0]):
                for j in range(cells[1]):
                    for o in range(n_orientations):
                        away = abs(turn - o)
                        share = max(0.0, 1 - min(away, n_orientations - away))
                        share *= max(0.0, 1 - abs(row - i)) * max(0.0, 1 - abs(column - j))
                        out[i, j, o] += share * math.hypot(dx, dy)
    total = out.sum()
    return np.sqrt(out / (total or 1)).ravel().tolist()


def test_as_a_slow_histogram_has_it() -> None:
    for shape, cells in [((8, 8), (2, 2)), ((9, 5), (3, 2)), ((3, 4), (4, 6))]:
        image = np.random.default_rng(5).random(shape)
        fast = OrientedGradients(n_orientations=6, cells=cells, image_shape=(*shape, 1))
        expected = slow_histograms(image, 6, cells)
        assert fast.fit_transform(image.reshape(1, -1))[0] == pytest.approx(expected, abs=2e-4)


def test_unit_length_whatever_the_options() -> None:
    for options in [{}, {"square_root": False}, {"signed": False}, {"blur": 0.8}]:
        X = np.random.default_rng(0).integers(0, 256, (20, 400), dtype=np.uint8)
        out = OrientedGradients(**options).fit_transform(X)
        assert np.linalg.norm(out, axis=1) == pytest.approx(np.ones(20), rel=1e-5)


def test_images_of_one_colour_have_no_gradients() -> None:
    for value, shape in product([0, 9, 255], [(1, 1, 1), (6, 6, 1), (6, 6, 3)]):
        blank = np.full((2, math.prod(shape)), value, np.uint8)
        assert not OrientedGradients(image_shape=shape).fit_transform(blank).any()


def test_a_blur_that_is_next_to_nothing_changes_nothing(recwarn: pytest.WarningsRecorder) -> None:
    X = np.random.default_rng(1).integers(0, 256, (3, 64), dtype=np.uint8)
    sharp = OrientedGradients().fit_transform(X)
    for blur in (1e-320, 1e-5, 0.09):
        assert (OrientedGradients(blur=blur).fit_transform(X) == sharp).all()
    assert (OrientedGradients(blur=0.5).fit_transform(X) != sharp).any()
    assert not recwarn.list


def test_brightness_that_is_shifted_and_scaled_changes_nothing() -> None:
    X = np.random.default_rng(0).integers(0, 256, (20, 144), dtype=np.uint8)
    out = OrientedGradients().fit_transform(X)
    for other in (X.astype(np.uint16) * 257, X.astype(np.float32) - 40, X * 1e-90 - 3e-89, X * 1e90 + 1e92):
        assert OrientedGradients().fit_transform(other) == pytest.approx(out, abs=1e-3)


def test_signs_are_told_apart_or_not() -> None:
    edge = np.tile(np.array([0, 0, 1, 1], dtype=np.float64), (4, 1)).reshape(1, 16)
    both = np.vstack([edge, 1 - edge])
    told = OrientedGradients(n_orientations=4, cells=(1, 1)).fit_transform(both)
    assert told.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]
    same = OrientedGradients(n_orientations=4, cells=(1, 1), signed=False).fit_transform(both)
    assert same.tolist() == [[1, 0, 0, 0], [1, 0, 0, 0]]


def test_of_a_colour_pixel_the_strongest_channel_counts() -> None:
    grey = np.random.default_rng(2).random((1, 8, 8))
    colour = np.stack([np.full_like(grey, 0.5), grey, 0.9 * grey], axis=3)
    shape = (8, 8, 3)
    out = OrientedGradients(image_shape=shape, square_root=False).fit_transform(colour.reshape(1, -1))
    alone = OrientedGradients(square_root=False).fit_transform(grey.reshape(1, -1))
    assert out == pytest.approx(alone, abs=1e-5)


def test_a_very_large_image_has_as_many_features() -> None:
    large = np.zeros((1, 2000, 3000), np.uint8)
    large[0, :, 1500:] = 255
    out = OrientedGradients(cells=(1, 1), image_shape=(2000, 3000, 1)).fit_transform(large.reshape(1, -1))
    assert out.tolist() == [[1, 0, 0, 0, 0, 0, 0, 0]]


def test_parameters_out_of_range_are_refused() -> None:
    for options, message in [
        ({"n_orientations": 0}, "n_orientations=0.*1.*360"),
        ({"cells": 7}, "cells=7"),
        ({"cells": (0, 7)}, "cells=0.*1.*1024"),
        ({"blur": -1.0}, "blur=-1.0.*0.*100"),
        ({"signed": "yes"}, "signed='yes'"),
    ]:
        with pytest.raises(ValueError, match=message):
            OrientedGradients(**options).fit(np.zeros((2, 16)))
