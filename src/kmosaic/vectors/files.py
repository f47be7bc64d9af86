"""Files of vectors: .npy files and folders of them, .npz, and tables, told by their content."""

from __future__ import annotations

import errno
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.images.arrays import read_member
from kmosaic.images.memory_check import check_memory
from kmosaic.models.validation import first_beyond, within_range
from kmosaic.rows.files import blaming, folder_rows, npy_rows
from kmosaic.rows.source import RowSource, bad_value
from kmosaic.tensors import native_dtype
from kmosaic.text import count, printable
from kmosaic.vectors.tables import read_table

_VECTOR_KEYS = ("vectors", "embeddings", "features", "X", "x", "data")
_PATH_KEYS = ("paths", "files", "filenames", "names", "ids")
_LABEL_KEYS = ("labels", "y", "target", "targets")
_BLOCK_BYTES = 1 << 24
_ENCRYPTED = 1
_MAX_TEXT_BYTES = 1 << 14  # of a path: four times what Linux allows, in four bytes a letter
_ZIP_HEADER_BYTES = 30


@dataclass(frozen=True, eq=False)
class StoredVectors:
    """What a file holds: vectors (n, n_features), perhaps mapped, and with them paths and labels, if any."""

    vectors: NDArray[Any]
    paths: NDArray[Any] | None = None
    labels: NDArray[Any] | None = None


def read_vectors(
    path: Path, path_column: str | None = None, vector_column: str | None = None
) -> StoredVectors:
    """The vectors of a file, of a dtype that ``KMeans`` reads in place; ``check_vectors`` checks the values.

    A .npy file is mapped, not read, as is an array that numpy.savez wrote; of a folder of .npy files every
    file is read when it is needed. An .npz file's vectors are called vectors, embeddings, features, X or
    data, or are its only array; its paths are called paths, files, filenames, names or ids. Of a Parquet,
    Arrow or Feather file, the vectors are the column of lists, or all columns of numbers.

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
        stored = StoredVectors(_rows_of(source, path))
    if len(stored.vectors.shape) != 2 or 0 in stored.vectors.shape:
        raise DataError(f"{where} has vectors of shape {stored.vectors.shape}; (n, n_features) is needed")
    return stored


def check_vectors(vectors: NDArray[Any], where: str, ids: Sequence[str] | None) -> None:
    """Refuse NaN, infinity and values too large to square; the message names the row, and its picture.

    Those in several files are checked when they are read, by whoever reads them.
    """
    if isinstance(vectors, RowSource):
        return
    block = max(1, _BLOCK_BYTES // (vectors.shape[1] * vectors.itemsize))
    for first in range(0, len(vectors), block):
        part = vectors[first : first + block]
        if not within_range(part):
            row, column = first_beyond(part)
            named = "" if ids is None else f", the vector of {ids[first + row]}"
            raise bad_value(f"{where}{named}", part[row, column], first + row, column)


def _kind_of(path: Path) -> str:
    where = printable(str(path))
    try:
        if path.is_dir():
            return "folder"
        if path.is_fifo():
            raise OSError(errno.ESPIPE, "a pipe, which cannot be read twice; save a file")
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
    """Map the file where engines read it in place; several are left where they are."""
    if not path.is_file():
        return cast(NDArray[Any], source)
    mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if source.dtype == source.stored and mapped.flags.c_contiguous:
        return mapped
    n_bytes = source.n_rows * source.n_features * source.dtype.itemsize
    check_memory(n_bytes, f"{source.name} as {source.dtype}", "save them in C order, as float32 or float16")
    return np.require(np.asarray(mapped), source.dtype, ["C", "A"])


def _mapped_member(path: Path, info: zipfile.ZipInfo) -> NDArray[Any] | None:
    """An array that lies in an archive as engines read it, mapped; None where it is packed or does not."""
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & _ENCRYPTED:
        return None
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(_ZIP_HEADER_BYTES)
        if len(header) < _ZIP_HEADER_BYTES or header[:4] != b"PK\x03\x04":
            return None
        start = file.seek(
            int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1
        )
        if np.lib.format.read_magic(file) != (1, 0):
            return None
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        offset = file.tell()
    whole = offset + math.prod(shape) * dtype.itemsize == start + info.file_size <= path.stat().st_size
    readable = dtype.kind in "iuf" and dtype == native_dtype(dtype) and min(shape, default=0) > 0
    if not whole or fortran or not readable:
        return None
    return np.memmap(path, dtype, "r", offset, shape)


def _check_vectors_header(where: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "biuf" or len(shape) != 2 or 0 in shape:
        raise DataError(f"{where} has vectors of {dtype} {shape}; numbers (n, n_features) are needed")


def _check_beside(what: str, n: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse paths and labels that are not those of ``n`` vectors, before they are unpacked."""
    if shape != (n,):
        raise DataError(f"{what} is of shape {shape}, beside {count(n, 'vector')}; one each is needed")
    if dtype.itemsize > _MAX_TEXT_BYTES:
        raise DataError(f"{what} has texts of {dtype.itemsize:,} bytes; {_MAX_TEXT_BYTES:,} are the most")


def _read_npz(path: Path, path_key: str | None) -> StoredVectors:
    where = printable(str(path))
    with blaming(path), zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if path_key is not None and path_key not in members:
            raise DataError(f"{where} has no array {path_key!r}; it has {printable(', '.join(members))}")

        def first(keys: tuple[str, ...], n: int) -> NDArray[Any] | None:
            key = next((key for key in keys if key in members), None)
            if key is None:
                return None
            return read_member(
                archive, members[key], where, partial(_check_beside, f"array {key} of {where}", n)
            )

        known = (*_VECTOR_KEYS, *(members if len(members) == 1 else ()))
        key = next((key for key in known if key in members), None)
        if key is None:
            names = printable(", ".join(members)) or "none"
            raise DataError(f"{where} has no vectors: its arrays are {names}; call the vectors X")
        vectors = _mapped_member(path, members[key])
        if vectors is None:
            vectors = read_member(archive, members[key], where, partial(_check_vectors_header, where))
        else:
            _check_vectors_header(where, vectors.shape, vectors.dtype)
        paths = first(_PATH_KEYS if path_key is None else (path_key,), len(vectors))
        labels = first(_LABEL_KEYS, len(vectors))
    return StoredVectors(np.require(vectors, native_dtype(vectors.dtype), ["C", "A"]), paths, labels)
