"""Pictures of files that are decoded when they are looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kmosaic.errors import DataError
from kmosaic.images import ReadOptions
from kmosaic.images.folder import folder_pictures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four large photos: smooth, so that any good way of making them smaller gives nearly the same."""
    y, x = np.mgrid[:300, :400]
    for number in range(4):
        pixels = np.stack([x / 2, y / 2, np.full_like(x, 60 * number)], axis=2)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{number}.jpg", quality=95)
    return tmp_path


def test_what_is_asked_for_is_decoded_and_nothing_else(folder, monkeypatch):
    import kmosaic.images.read_worker as read_worker

    decoded = []
    decode = read_worker.decode_reduced
    monkeypatch.setattr(
        read_worker,
        "decode_reduced",
        lambda path, *rest, **more: decoded.append(path.name) or decode(path, *rest, **more),
    )
    images = folder_pictures(folder, ReadOptions())
    assert (images.format.height, images.format.width, images.format.channels) == (48, 64, 3)
    assert decoded == []
    few = images.take([3, 0, 2]).pixels
    assert decoded == []
    pixels = few[[1, 0]].reshape(2, 48, 64, 3)
    assert sorted(decoded) == ["0.jpg", "3.jpg"]

    for picture, number in zip(pixels, (0, 3), strict=True):
        whole = Image.open(folder / f"{number}.jpg").resize((64, 48), Image.Resampling.BOX)
        assert np.abs(picture.astype(int) - np.asarray(whole).astype(int)).max() <= 4
    np.testing.assert_array_equal(np.asarray(few)[1], pixels[0].reshape(-1))


def test_jpeg_files_are_decoded_at_a_fraction_of_their_size(folder, monkeypatch):
    from PIL import JpegImagePlugin

    sizes = []
    load = JpegImagePlugin.JpegImageFile.load
    monkeypatch.setattr(
        JpegImagePlugin.JpegImageFile, "load", lambda self: sizes.append(self.size) or load(self)
    )
    folder_pictures(folder, ReadOptions(size=(24, 32))).pixels[:1]
    assert set(sizes) == {(100, 75)}


def test_damaged_files_are_grey_and_named(folder):
    path = folder / "1.jpg"
    images = folder_pictures(folder, ReadOptions())
    path.write_bytes(path.read_bytes()[:2000])

    assert set(images.pixels[[1]].ravel()) == {128}
    assert [file.path for file in images.pixels.unreadable] == ["1.jpg"]
    for file in folder.iterdir():
        file.write_bytes(b"no image")
    with pytest.raises(DataError, match="no usable image"):
        folder_pictures(folder, ReadOptions())
