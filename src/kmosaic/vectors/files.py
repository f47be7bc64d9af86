"""Files of vectors: .npy files and folders of them, .npz, and tables, told by their content."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.images.arrays import blaming, read_member
from kmosaic.images.memory_check import check_memory
from kmosaic.rows.files import folder_rows, npy_rows
from kmosaic.rows.source import RowSource
from kmosaic.tensors import native_dtype
from kmosaic.text import printable
from kmosaic.vectors.tables import read_table

_VECTOR_KEYS = ("vectors", "embeddings", "features", "X", "x", "data")
_PATH_KEYS = ("paths", "files", "filenames", "names", "ids")
_LABEL_KEYS = ("labels", "y", "target", "targets")
_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class StoredVectors:
    """What a file holds: vectors (n, n_features), perhaps mapped, and with them paths and labels, if any."""

    vectors: NDArray[Any]
    paths: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None


def read_vectors(
    path: Path, path_column: str | None = None, vector_column: str | None = None
) -> StoredVectors:
    """The vectors of a file, checked: finite, and of a dtype that ``KMeans`` reads in place.

    A .npy file is mapped, not read. An .npz file's vectors are called vectors, embeddings, features, X or
    data, or are its only array of two dimensions; its paths are called paths, files, filenames, names or ids.
    Of a Parquet, Arrow or Feather file, the vectors are the column of lists, or all columns of numbers.

    Raises DataError when it cannot be read, or holds something else; MissingLibraryError where a table needs
    pyarrow.
    """
    kind, where = _kind_of(path), printable(str(path))
    if kind not in ("npz", "table") and path_column is not None:
        raise DataError(f"{where} has no columns; give the paths in a file of their own, by --paths")
    if kind == "table":
        table = read_table(path, path_column, vector_column)
        stored = StoredVectors(table.vectors, table.paths)
    elif kind == "npz":
        stored = _read_npz(path, path_column)
    else:
        source = folder_rows(path) if kind == "folder" else npy_rows(path)
        return StoredVectors(_rows_of(source, path))
    check_vectors(stored.vectors, where)
    return stored


def check_vectors(vectors: NDArray[Any], where: str) -> None:
    """Refuse NaN, infinity and values too large to square; the message names the row."""
    _Held(vectors, where).check_all()


def _kind_of(path: Path) -> str:
    where = printable(str(path))
    try:
        if path.is_dir():
            return "folder"
        with path.open("rb") as stream:
            start = stream.read(6)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"vectors {where} cannot be read: {reason}") from error
    for magic, kind in ((b"\x93NUMPY", "npy"), (b"PK", "npz"), (b"PAR1", "table"), (b"ARROW1", "table")):
        if start.startswith(magic):
            return kind
    raise DataError(
        f"{where} is no file of vectors; name a .npy, .npz, Parquet, Arrow or Feather file, or a folder of "
        ".npy files"
    )


def _rows_of(source: RowSource, path: Path) -> NDArray[Any]:
    """Map the file where engines read it in place; else read it into memory."""
    block = max(1, _BLOCK_BYTES // source.row_bytes)
    if path.is_file() and source.dtype == source.stored:
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        if mapped.ndim == 2 and mapped.flags.c_contiguous:
            for first in range(0, len(mapped), block):
                source.check(mapped[first : first + block], first)
            return mapped
    check_memory(
        source.n_rows * source.n_features * source.dtype.itemsize, source.name, "fit on fewer vectors"
    )
    return source.load(block)


class _Held(RowSource):
    """Vectors in memory, as a source, for its checks."""

    def __init__(self, vectors: NDArray[Any], name: str) -> None:
        if vectors.ndim != 2:
            raise DataError(f"{name} has vectors of shape {vectors.shape}; (n, n_features) is needed")
        super().__init__(name, (len(vectors), vectors.shape[1]), vectors.dtype)
        self._vectors = vectors

    def _read(self, first: int, last: int) -> NDArray[Any]:
        return self._vectors[first:last]

    def check_all(self) -> None:
        block = max(1, _BLOCK_BYTES // self.row_bytes)
        for first in range(0, self.n_rows, block):
            self.check(self._vectors[first : first + block], first)


def _read_npz(path: Path, path_key: str | None) -> StoredVectors:
    where = printable(str(path))
    with blaming(path), zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if path_key is not None and path_key not in members:
            raise DataError(f"{where} has no array {path_key!r}; it has {printable(', '.join(members))}")

        def first(keys: tuple[str, ...]) -> NDArray[Any] | None:
            key = next((key for key in keys if key in members), None)
            return None if key is None else read_member(archive, members[key], where)

        vectors = first(_VECTOR_KEYS)
        if vectors is None and len(members) == 1:
            vectors = first(tuple(members))
        if vectors is None:
            names = printable(", ".join(members)) or "none"
            raise DataError(f"{where} has no vectors: its arrays are {names}; call the vectors X")
        paths = first(_PATH_KEYS if path_key is None else (path_key,))
        labels = first(_LABEL_KEYS)
    if vectors.dtype.kind not in "biuf" or vectors.ndim != 2:
        raise DataError(
            f"{where} has vectors of {vectors.dtype} {vectors.shape}; numbers (n, n_features) are needed"
        )
    return StoredVectors(np.require(vectors, native_dtype(vectors.dtype), ["C", "A"]), paths, labels)
