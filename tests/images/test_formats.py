"""Formats of image files beyond those that every Pillow reads, and HEIC, which none does."""

from __future__ import annotations

import sys
import types
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile, features

from kmosaic.errors import DataError
from kmosaic.images import ImageCollection, ReadOptions, decode, load_dataset

GREY = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)
NOISE = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
DEEP = GREY.astype(np.uint16) * 256 + 7


def read_all(folder: Path, **options: Any) -> ImageCollection:
    return load_dataset(folder, ReadOptions(test_fraction=0, **options)).train


def pixels_of(folder: Path, **options: Any) -> NDArray[Any]:
    images = read_all(folder, **options).as_images()
    assert len(images) == 1
    return images[0]  # type: ignore[no-any-return]


def test_colour(tmp_path: Path) -> None:
    for suffix, options, error in [
        ("jp2", {}, 0),
        ("ppm", {}, 0),
        ("qoi", {}, 0),
        ("avif", {"quality": 100, "subsampling": "4:4:4"}, 3),
    ]:
        Image.init()
        if Image.EXTENSION.get(f".{suffix}") not in Image.SAVE or (
            suffix == "avif" and not features.check("avif")
        ):
            continue  # not every Pillow writes it
        path = tmp_path / f"one.{suffix}"
        Image.fromarray(COLOUR).save(path, **options)
        assert np.abs(pixels_of(tmp_path).astype(int) - COLOUR).max() <= error, suffix
        path.unlink()


def test_grey(tmp_path: Path) -> None:
    for suffix, values in product(["jp2", "pgm"], [GREY, DEEP]):
        path = tmp_path / f"one.{suffix}"
        Image.fromarray(values).save(path)
        np.testing.assert_array_equal(pixels_of(tmp_path), values, strict=True)
        path.unlink()


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)


def test_heic_names_the_package_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    (tmp_path / "phone.heic").write_bytes(HEIC)
    with pytest.raises(DataError, match="HEIC, which needs pillow-heif"):
        read_all(tmp_path)


def test_heic_is_read_where_the_package_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the package, which turns every such file to one grey image."""

    class Plugin(ImageFile.ImageFile):
        format = "HEIF"

        def _open(self) -> None:
            self._size, self._mode = (6, 4), "L"
            self.tile = []

        def load(self) -> Any:
            self.im = Image.fromarray(GREY).im
            return super().load()

    def register() -> None:
        Image.register_open("HEIF", Plugin, lambda start: start[4:8] == b"ftyp")

    monkeypatch.setattr(Image, "OPEN", {name: way for name, way in Image.OPEN.items() if name != "HEIF"})
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    package = types.ModuleType("pillow_heif")
    package.register_heif_opener = register  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", package)
    (tmp_path / "phone.heic").write_bytes(HEIC)
    np.testing.assert_array_equal(pixels_of(tmp_path), GREY)


def test_the_package_itself_reads_heic(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    heic = tmp_path / "images" / "a.heic"
    heic.parent.mkdir()
    pillow_heif.from_pillow(Image.fromarray(NOISE).convert("RGB")).save(heic, quality=100)
    found = pixels_of(heic.parent, mode="grey").astype(int)
    assert np.abs(found - NOISE).max() <= 8


def test_other_formats_keep_to_the_limit_on_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_PIXELS", 20)
    for suffix in ("jp2", "ppm", "qoi"):
        Image.fromarray(COLOUR).save(tmp_path / f"a.{suffix}")
    with pytest.raises(DataError, match="3 files.*more than 20"):
        read_all(tmp_path)
