"""Writers of the small files these tests read."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from kmosaic.images.registry import IDX_DATASETS

_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: NDArray[Any]) -> bytes:
    """The array as an IDX file: an independent writer for the reader under test."""
    code = _CODES[f"{array.dtype.kind}{array.dtype.itemsize}"]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture(name="idx_bytes", scope="session")
def idx_bytes_fixture() -> Callable[[NDArray[Any]], bytes]:
    return idx_bytes


@pytest.fixture
def save_image(tmp_path: Path) -> Callable[..., Path]:
    """Save values (an array, or a Pillow image) under ``tmp_path``, making folders on the way."""

    def save(name: str, values: Any, **options: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = values if isinstance(values, Image.Image) else Image.fromarray(np.asarray(values))
        picture.save(path, **options)
        return path

    return save


@pytest.fixture
def mnist_shaped(tmp_path: Path) -> Path:
    """A folder with four small IDX files named as MNIST's, 20 training and 10 test images of 4 x 3."""
    generator = np.random.default_rng(5)
    folder = tmp_path / "four"
    folder.mkdir()
    arrays = [
        generator.integers(0, 256, (20, 4, 3), dtype=np.uint8),
        np.arange(20, dtype=np.uint8) % 4,
        generator.integers(0, 256, (10, 4, 3), dtype=np.uint8),
        np.arange(10, dtype=np.uint8) % 4,
    ]
    for file, array in zip(IDX_DATASETS["mnist"].files, arrays, strict=True):
        (folder / f"{file.name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
    return folder
