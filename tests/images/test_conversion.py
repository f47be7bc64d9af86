"""What is told of images that were not as a model or a label needs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kmosaic.errors import DataError
from kmosaic.images import ReadOptions, load_dataset, load_images
from kmosaic.models.image_model import ImageFormat

Save = Callable[..., Path]
GREY = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)


def test_labels_from_none_reads_every_image_below_without_labels(save_image: Save, tmp_path: Path) -> None:
    for name in ("a.png", "x/b.png", "y/z/c.png"):
        save_image(name, GREY)
    with pytest.raises(DataError, match="--labels-from none"):
        load_dataset(tmp_path)
    found = load_dataset(tmp_path, ReadOptions(labels_from="none")).train
    assert found.labels is None
    assert set(found.ids) == {"a.png", "x/b.png", "y/z/c.png"}
    with pytest.raises(DataError, match="labels_from='sky'"):
        ReadOptions(labels_from="sky")


def test_what_was_converted_for_a_model_is_counted(save_image: Save, tmp_path: Path) -> None:
    save_image("a.png", GREY)
    save_image("b.png", COLOUR)
    save_image("c.png", COLOUR[:3])
    grey = ImageFormat(4, 6, 1, "uint8", 255)
    counts = load_images(tmp_path, grey).converted
    assert (counts.n_resized, counts.n_greyed, counts.sizes) == (1, 2, "6 x 3 (1)")
    one = load_images(tmp_path / "c.png", replace(grey, channels=3)).converted
    assert (one.n_resized, one.n_greyed) == (1, 0)
    np.save(tmp_path / "three.npy", np.stack([COLOUR] * 3))
    array = load_images(tmp_path / "three.npy", replace(grey, width=5)).converted
    assert (array.n_resized, array.n_greyed) == (3, 3)
