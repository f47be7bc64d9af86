"""Arrays in .npy files, read by the file's own reads: a file that shrinks is an error, and no signal."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines import Rows
from kmosaic.errors import DataError
from kmosaic.rows.source import RowSource
from kmosaic.tensors import as_native
from kmosaic.text import printable


class FileRows(RowSource):
    """Rows in a file, from a byte on, one after the other or (``fortran``) feature by feature."""

    def __init__(
        self,
        path: Path,
        name: str,
        offset: int,
        shape: tuple[int, int],
        stored: Any,
        *,
        fortran: bool = False,
    ) -> None:
        super().__init__(name, shape, stored)
        self._path = path
        self._offset = offset
        self._fortran = fortran

    @property
    def row_bytes(self) -> int:
        again = self.n_features * self.stored.itemsize if self._fortran else 0
        return super().row_bytes + again

    def _read(self, first: int, last: int) -> NDArray[Any]:
        n = last - first
        with self._opened() as file:
            if not self._fortran:
                rows = np.empty((n, self.n_features), self.stored)
                self._fill(file, first * self.n_features, rows.reshape(-1))
                return rows
            columns = np.empty((self.n_features, n), self.stored)
            for feature in range(self.n_features):
                self._fill(file, feature * self.n_rows + first, columns[feature])
            return columns.T

    def take(self, numbers: NDArray[np.intp]) -> Rows:
        """The rows of these numbers, in this order, read from first to last."""
        if self._fortran:
            return super().take(numbers)
        rows = np.empty((len(numbers), self.n_features), self.stored)
        with self._opened() as file:
            for place in np.argsort(numbers, kind="stable"):
                self._fill(file, int(numbers[place]) * self.n_features, rows[place])
        return as_native(rows)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            with self._path.open("rb", buffering=0) as file:
                yield file
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataError(f"{self.name} can no longer be read: {reason}") from error

    def _fill(self, file: Any, first: int, values: NDArray[Any]) -> None:
        """Read values from a number on."""
        file.seek(self._offset + first * self.stored.itemsize)
        left = values.view(np.uint8).data
        while len(left):
            n = file.readinto(left)
            if not n:
                raise DataError(f"{self.name} has become shorter while it was read; keep it as it is")
            left = left[n:]


def npy_rows(path: Path) -> FileRows:
    """Return the rows of a .npy file, (n_samples, ...); values after the first axis are one row.

    Raises DataError where it is damaged, truncated or holds no real numbers.
    """
    name = printable(str(path))
    with blaming(path), path.open("rb") as file:
        shape, fortran, dtype = npy_header(file, name)
        offset = file.tell()
        n_bytes = os.fstat(file.fileno()).st_size - offset
    if dtype.hasobject or dtype.subdtype is not None or dtype.kind not in "biuf":
        raise DataError(f"{name} has values of {dtype}; integers and real numbers can be clustered")
    if len(shape) < 2:
        raise DataError(f"{name} has shape {shape}; rows are needed, (n_samples, n_features)")
    stated = math.prod(shape) * dtype.itemsize
    if stated != n_bytes or any(n < 0 for n in shape):
        raise DataError(
            f"{name} is truncated or damaged: its header states {stated:,} bytes, where {n_bytes:,} follow"
        )
    if fortran and len(shape) > 2:
        raise DataError(f"{name} is in Fortran order with {len(shape)} dimensions; save it in C order")
    return FileRows(path, name, offset, (shape[0], math.prod(shape[1:])), dtype, fortran=fortran)


def npy_header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header of a .npy file: shape, whether it is in Fortran order, and dtype.

    Raises DataError where it is in a version of the format that is not read, and whatever NumPy raises.
    """
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise DataError(f"{name} is in version {version} of NumPy's format; 1.0 and 2.0 can be read")


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Turn whatever parsing a hostile file raises (zipfile alone has a dozen kinds) into one DataError."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or printable(str(error)) or type(error).__name__
        raise DataError(f"{printable(str(path))} cannot be read as an array file: {reason}") from error


class Shards(RowSource):
    """The rows of several files, one after the other."""

    def __init__(self, name: str, files: list[FileRows]) -> None:
        first = files[0]
        for file in files[1:]:
            if (file.n_features, file.dtype) != (first.n_features, first.dtype):
                raise DataError(
                    f"{file.name} has {file.n_features} features of {file.stored}, where {first.name} has "
                    f"{first.n_features} of {first.stored}; all shards need the same"
                )
        self._files = files
        self._starts = np.cumsum([0, *(file.n_rows for file in files)])
        super().__init__(name, (int(self._starts[-1]), first.n_features), first.dtype)

    @property
    def row_bytes(self) -> int:
        return max(file.row_bytes for file in self._files) + self.n_features * self.dtype.itemsize

    def _read(self, first: int, last: int) -> NDArray[Any]:
        number = int(np.searchsorted(self._starts, first, side="right")) - 1
        start = int(self._starts[number])
        if last <= self._starts[number + 1]:
            return self._files[number].read(first - start, last - start)
        rows = np.empty((last - first, self.n_features), self.dtype)
        at = first
        while at < last:
            start, end = (int(each) for each in self._starts[number : number + 2])
            upto = min(last, end)
            rows[at - first : upto - first] = self._files[number].read(at - start, upto - start)
            at, number = upto, number + 1
        return rows

    def take(self, numbers: NDArray[np.intp]) -> Rows:
        """The rows of these numbers, in this order, shard by shard."""
        rows = np.empty((len(numbers), self.n_features), self.dtype)
        shard = np.searchsorted(self._starts, numbers, side="right") - 1
        for number in np.unique(shard):
            rows[shard == number] = self._files[number].take(numbers[shard == number] - self._starts[number])
        return rows

    def check(self, rows: NDArray[Any], first: int) -> None:
        """As ``RowSource`` does, naming the shard and its own row."""
        last = first + len(rows)
        for number, file in enumerate(self._files):
            start, end = (int(each) for each in self._starts[number : number + 2])
            if start < last and first < end:
                low, high = max(first, start), min(last, end)
                file.check(rows[low - first : high - first], low - start)


def shards(paths: list[Path], name: str) -> RowSource:
    """Return the rows of these .npy files, in this order."""
    files = [npy_rows(path) for path in paths]
    return files[0] if len(files) == 1 else Shards(name, files)


def folder_rows(folder: Path) -> RowSource:
    """Return the rows of a folder's .npy files, in the order of their names.

    Raises DataError where there are none.
    """
    name = printable(str(folder))
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".npy" and path.name[0] != ".")
    if not paths:
        raise DataError(f"{name} has no .npy files; name a folder of shards, each (n_samples, n_features)")
    return shards(paths, name)
