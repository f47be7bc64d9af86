"""One lesson for all tests of this folder."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kmosaic.explain import Lesson, PointSet, make_lesson
from kmosaic.images.collection import ImageCollection
from kmosaic.models.image_model import ImageFormat


@pytest.fixture(scope="session")
def digits() -> ImageCollection:
    """300 of scikit-learn's digits."""
    data = load_digits()
    return ImageCollection(
        "digits",
        np.ascontiguousarray(data.data[:300].astype(np.uint8)),
        ImageFormat(8, 8, 1, "uint8", 16.0),
        data.target[:300].astype(np.int64),
        tuple("0123456789"),
        tuple(map(str, range(300))),
    )


@pytest.fixture(scope="session")
def lesson(digits: ImageCollection) -> Lesson:
    """The lesson on made-up points."""
    return make_lesson(digits)


@pytest.fixture(scope="session")
def own() -> PointSet:
    """Points of somebody's own: two clouds, and columns of unlike ranges."""
    random = np.random.default_rng(8)
    points = np.concatenate(
        [random.normal([0, 0], [1, 300], (25, 2)), random.normal([9, 9000], [1, 300], (25, 2))]
    )
    return PointSet("own", "Your points", "50 points from mine.csv.", points, 2, ("years", "metres"))
