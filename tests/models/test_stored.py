"""Model files that earlier builds of kmosaic 0.1.0 wrote still load, and give the labels they gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from kmosaic.cluster import load_model
from kmosaic.features import Recipe

STORED = Path(__file__).parent / "stored"


def test_a_model_of_pixels() -> None:
    model = load_model(STORED / "pixels.kmosaic")
    labels = model.predict(load_digits().data[:40].astype(np.uint8))

    assert labels.tolist() == [
        8,
        4,
        4,
        6,
        5,
        0,
        7,
        1,
        0,
        0,
        8,
        2,
        3,
        6,
        5,
        9,
        7,
        1,
        4,
        0,
        8,
        2,
        3,
        6,
        5,
        9,
        7,
        2,
        4,
        0,
        8,
        0,
        9,
        9,
        7,
        9,
        8,
        0,
        4,
        0,
    ]
    assert model.inertia == 1165188.962349734
    assert model.cluster_names is not None


def test_a_model_with_a_recipe() -> None:
    model = load_model(STORED / "deskewed.kmosaic")
    images = (load_digits().images[:24] * 15).astype(np.uint8).reshape(24, -1)

    assert model.predict(Recipe.of(model).transform(images)).tolist() == [
        0,
        1,
        3,
        2,
        3,
        2,
        3,
        1,
        3,
        0,
        0,
        1,
        2,
        2,
        0,
        1,
        3,
        1,
        1,
        2,
        0,
        1,
        2,
        2,
    ]
    assert model.inertia == 3160506.1142857145


def test_a_model_of_a_scene(tmp_path: Path) -> None:
    pytest.importorskip("rasterio", reason="scenes are read by rasterio: pip install 'kmosaic[scenes]'")
    from kmosaic.scenes import segment

    gradient = np.add.outer(np.arange(12) * 20, np.arange(16) * 3) % 256
    Image.fromarray(gradient.astype(np.uint8)).save(tmp_path / "scene.png")
    result = segment(tmp_path / "scene.png", output=tmp_path / "map.tif", model=STORED / "scene.kmosaic")

    assert result.sizes.pixels.tolist() == [64, 63, 65]
