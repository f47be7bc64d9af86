"""Arrays of images in .npy, .npz and IDX files: no pickle, and no size believed that the file cannot hold."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.images.idx import read_idx
from kmosaic.images.memory_check import check_memory
from kmosaic.images.registry import IdxDataset, find_file
from kmosaic.images.stream import MAX_DEFLATE_RATIO, fill
from kmosaic.rows.files import blaming, npy_header
from kmosaic.text import count, printable

_IMAGE_KEYS = ("images", "X", "x", "data")
_LABEL_KEYS = ("labels", "y", "target", "targets")
_TRAIN_KEYS = ("x_train", "X_train", "train_images", "train_x")
_TRAIN_LABEL_KEYS = ("y_train", "train_labels", "train_y")
_TEST_KEYS = ("x_test", "X_test", "test_images", "test_x")
_TEST_LABEL_KEYS = ("y_test", "test_labels", "test_y")


@dataclass(frozen=True, eq=False)
class StoredArrays:
    """Images and labels as a file holds them, not yet checked for shape, dtype or length.

    ``label_names`` and ``max_value`` are given where they are known for the source, and else None.
    """

    train: NDArray[Any]
    train_labels: NDArray[Any] | None = None
    test: NDArray[Any] | None = None
    test_labels: NDArray[Any] | None = None
    label_names: tuple[str, ...] | None = None
    max_value: float | None = None


def read_npy(path: Path) -> StoredArrays:
    """The one array of a .npy file.

    Raises DataError when the file is damaged, truncated, too large for memory or holds Python objects.
    """
    with blaming(path), path.open("rb") as stream:
        return StoredArrays(_read_array(stream, os.fstat(stream.fileno()).st_size, printable(str(path))))


def read_npz(path: Path) -> StoredArrays:
    """Images and labels of a .npz file, found by their names.

    Images are called images, X, x or data (or anything, if there is one array alone) and labels labels, y,
    target or targets; or x_train, y_train, x_test and y_test as in Keras's mnist.npz.

    Raises DataError as :func:`read_npy`, and when no array is named so.
    """
    where = printable(str(path))
    with blaming(path), zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        keys = _choose_keys(members, where)
        parts = {part: read_member(archive, members[key], where) for part, key in keys.items()}
    return StoredArrays(
        parts["train"], parts.get("train_labels"), parts.get("test"), parts.get("test_labels")
    )


def read_idx_file(path: Path) -> StoredArrays:
    """The images of an IDX file, with the labels of the file beside it that is named like it.

    For ``train-images-idx3-ubyte`` that is ``train-labels-idx1-ubyte``, either of them with or without .gz.

    Raises DataError when a file is damaged, or holds labels and not images.
    """
    images = read_idx(path)
    if images.ndim == 1:
        raise DataError(
            f"{printable(str(path))} holds {count(len(images), 'single value')}, labels perhaps; "
            "name the images"
        )
    labels = _find_idx_labels(path)
    return StoredArrays(images, None if labels is None else read_idx(labels))


def read_idx_folder(folder: Path, entry: IdxDataset, *, published: bool = True) -> StoredArrays:
    """The four IDX files of ``entry`` in ``folder``; ``published`` ones must have the known checksums.

    Raises DataError when a file is missing, damaged or has a wrong checksum.
    """
    arrays = []
    for file in entry.files:
        path = find_file(folder, file.name)
        if path is None:
            raise DataError(f"{printable(str(folder))} lacks {file.name} or {file.name}.gz")
        arrays.append(read_idx(path, checksum=file.checksum if published else None))
    train, train_labels, test, test_labels = arrays
    names = entry.label_names if published else None
    return StoredArrays(train, train_labels, test, test_labels, names)


def _find_idx_labels(path: Path) -> Path | None:
    own = path.name.removesuffix(".gz")
    name = own.replace("images", "labels").replace("idx3", "idx1")
    return None if name == own else find_file(path.parent, name)


def _choose_keys(members: Mapping[str, object], where: str) -> dict[str, str]:
    """Which array is which part of :class:`StoredArrays`."""

    def first(keys: tuple[str, ...]) -> str | None:
        return next((key for key in keys if key in members), None)

    train = first(_TRAIN_KEYS)
    if train is not None:
        chosen = {
            "train": train,
            "train_labels": first(_TRAIN_LABEL_KEYS),
            "test": first(_TEST_KEYS),
            "test_labels": first(_TEST_LABEL_KEYS),
        }
    else:
        alone = next(iter(members)) if len(members) == 1 else None
        chosen = {"train": first(_IMAGE_KEYS) or alone, "train_labels": first(_LABEL_KEYS)}
    if chosen["train"] is None or chosen["train"] == chosen["train_labels"]:
        names = printable(", ".join(members)) or "none"
        raise DataError(f"{where} has no images: its arrays are {names}; call the images X and the labels y")
    return {part: key for part, key in chosen.items() if key is not None}


CheckHeader = Callable[[tuple[int, ...], np.dtype[Any]], None]


def read_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str, check: CheckHeader | None = None
) -> NDArray[Any]:
    """One array of an archive; ``check`` may refuse the shape and dtype that its header states, unread.

    Raises DataError where it is damaged, truncated, too large for memory or holds Python objects.
    """
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{where} is packed in a way NumPy does not use; save it again with numpy.savez")
    if info.file_size > info.compress_size * MAX_DEFLATE_RATIO + 1024:
        raise DataError(f"{where} is damaged: {printable(info.filename)} states an impossible size")
    with archive.open(info) as stream:
        return _read_array(stream, info.file_size, f"{printable(info.filename)} in {where}", check)


def _read_array(
    stream: IO[bytes], n_bytes: int, where: str, check: CheckHeader | None = None
) -> NDArray[Any]:
    """One array in NumPy's format, of which header and values together are ``n_bytes`` long."""
    shape, fortran, dtype = npy_header(stream, where)
    if dtype.hasobject or dtype.kind not in "biufUSc" or dtype.subdtype is not None:
        raise DataError(f"{where} has dtype {dtype}; images need numbers, labels numbers or text")
    stated = math.prod(shape) * dtype.itemsize
    if any(n < 0 for n in shape) or stated != n_bytes - stream.tell():
        raise DataError(
            f"{where} is truncated or damaged: its header states {stated:,} bytes; get a new copy"
        )
    if check is not None:
        check(shape, dtype)
    check_memory(stated, where, "free some memory")
    values = np.empty(shape, dtype, order="F" if fortran else "C")
    if fill(stream, values) < stated:
        raise DataError(f"{where} is truncated; get a new copy")
    # Reading past the end also makes a zip archive compare its CRC-32.
    stream.read(1)
    return values
