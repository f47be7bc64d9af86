"""What X may be besides an array in memory: a memory map, a path, a list of paths, or whatever is sliced."""

from __future__ import annotations

import math
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.rows.files import FileRows, folder_rows, npy_rows, shards
from kmosaic.rows.source import RowSource
from kmosaic.tensors import is_bfloat16, native_dtype
from kmosaic.text import printable


class SlicedRows(RowSource):
    """Rows of what has ``shape``, ``dtype`` and slices: zarr's arrays, h5py's data sets."""

    def __init__(self, X: Any, name: str = "X") -> None:
        shape = tuple(int(n) for n in X.shape)
        if len(shape) < 2:
            raise DataError(f"{name} has shape {shape}; rows are needed, (n_samples, n_features)")
        super().__init__(name, (shape[0], math.prod(shape[1:])), X.dtype)
        self._X = X

    def _read(self, first: int, last: int) -> NDArray[Any]:
        rows = np.asarray(self._X[first:last])
        if rows.shape[:1] != (last - first,) or rows.size != (last - first) * self.n_features:
            raise DataError(
                f"{self.name}[{first}:{last}] has shape {rows.shape}, where {self.name} has shape "
                f"{(self.n_rows, self.n_features)}; it must not change while it is read"
            )
        if rows.dtype != self.stored:
            raise DataError(
                f"{self.name}[{first}:{last}] has dtype {rows.dtype}, where {self.stored} is stated"
            )
        return rows.reshape(last - first, self.n_features)


def is_source(X: Any, *, capped: bool) -> bool:
    """Whether X is to be read in blocks. ``capped`` says that memory is: then a memory map always is.

    Otherwise one is read in place where engines can, as an array in memory.
    """
    if isinstance(X, RowSource | str | os.PathLike):
        return True
    if isinstance(X, list | tuple):
        return bool(X) and all(isinstance(each, str | os.PathLike) for each in X)
    if isinstance(X, np.ndarray):
        return X.ndim == 2 and _is_mapped(X) and (capped or not _reads_in_place(X))
    return _is_sliced(X)


def open_source(X: Any) -> RowSource:
    """Return the rows of X, of which ``is_source`` holds.

    Raises DataError where it cannot be read, or its parts do not go together.
    """
    if isinstance(X, RowSource):
        return X
    if isinstance(X, list | tuple):
        return shards([Path(each) for each in X], f"the {len(X)} shards of X")
    if isinstance(X, str | os.PathLike):
        path = Path(X)
        if not path.exists():
            raise DataError(f"there is no {printable(str(path))}; name a .npy file, or a folder of them")
        return folder_rows(path) if path.is_dir() else npy_rows(path)
    if isinstance(X, np.ndarray):
        source = _mapped_rows(X)
        source.is_map = True
        return source
    return SlicedRows(X)


def _is_sliced(X: Any) -> bool:
    """Whether X is read by slices: no array, tensor or table of another library, which lie in memory."""
    if not all(hasattr(X, name) for name in ("shape", "dtype", "__getitem__")):
        return False
    if any(
        hasattr(X, name) for name in ("iloc", "coords", "__dlpack__", "detach", "tocsr", "toarray", "dask")
    ):
        return False
    try:
        return len(X.shape) >= 2 and (np.dtype(X.dtype).kind in "biufc" or is_bfloat16(X.dtype))
    except TypeError:
        return False


def _is_mapped(X: NDArray[Any]) -> bool:
    """Whether an array's values are those of a memory map."""
    base: Any = X
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return True
        base = base.base
    return isinstance(base, mmap.mmap)


def _reads_in_place(X: NDArray[Any]) -> bool:
    return X.flags.c_contiguous and X.flags.aligned and X.dtype in (native_dtype(X.dtype), np.bool_)


def _mapped_rows(X: NDArray[Any]) -> RowSource:
    """The rows of a memory map: by reads of its file, or by slices where that is not possible."""
    place = _place_in_file(X)
    if place is None or not (X.flags.c_contiguous or X.flags.f_contiguous):
        return SlicedRows(X)
    return FileRows(*place, X.shape, X.dtype, fortran=not X.flags.c_contiguous)


def _place_in_file(X: NDArray[Any]) -> tuple[Path, str, int] | None:
    """A memory map's file, its name, and the byte at which X begins there; None where it has no file, or
    changes of its own."""
    root: Any = X
    while isinstance(root, np.ndarray) and not (
        isinstance(root, np.memmap) and isinstance(root.base, mmap.mmap)
    ):
        root = root.base
    filename = getattr(root, "filename", None)
    if not isinstance(root, np.memmap) or filename is None or root.mode == "c":
        return None
    path = Path(os.fsdecode(filename))
    begin = root.__array_interface__["data"][0]
    offset = root.offset + X.__array_interface__["data"][0] - begin
    if not path.is_file() or path.stat().st_size < offset + X.nbytes:
        return None
    return path, printable(str(path)), int(offset)
