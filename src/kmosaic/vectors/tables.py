"""Vectors and paths in Parquet, Arrow and Feather files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.arrow_table import pyarrow
from kmosaic.errors import DataError
from kmosaic.images.memory_check import check_memory
from kmosaic.tensors import native_dtype
from kmosaic.text import printable

_BATCH_ROWS = 8192
_NAMED = 12


@dataclass(frozen=True, eq=False)
class VectorTable:
    """The vectors of a table (n, n_features), and its column of paths, if one was asked for."""

    vectors: NDArray[Any]
    paths: NDArray[Any] | None


@dataclass(frozen=True, eq=False)
class _Opened:
    """A file's columns, how many rows it has, and a way to read some columns batch by batch."""

    schema: Any
    n_rows: int
    batches: Callable[[list[str]], Iterator[Any]]


def read_table(path: Path, path_column: str | None, vector_column: str | None) -> VectorTable:
    """The vectors of a table, decoded batch by batch into one array.

    They are in ``vector_column``, by default the only column of lists of numbers; where there is none of
    these, all columns of numbers are one vector a row. ``path_column`` has texts.

    Raises DataError when it is damaged, or has no such columns; MissingLibraryError without pyarrow.
    """
    pa, where = pyarrow(), printable(str(path))
    try:
        with ExitStack() as stack:
            table = _open(path, stack)
            columns = _vector_columns(table.schema, path_column, vector_column, where)
            return _read(table, columns, path_column, where)
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        reason = (printable(str(error)) or type(error).__name__)[:200]
        raise DataError(f"{where} is damaged, or no table that can be read: {reason}") from error


def _open(path: Path, stack: ExitStack) -> _Opened:
    pa = pyarrow()
    mapped = stack.enter_context(pa.memory_map(str(path)))
    if mapped.read(4) == b"PAR1":
        from pyarrow import parquet

        file = stack.enter_context(parquet.ParquetFile(path))
        return _Opened(
            file.schema_arrow,
            file.metadata.num_rows,
            lambda columns: file.iter_batches(_BATCH_ROWS, columns=columns),
        )
    mapped.seek(0)
    reader = pa.ipc.open_file(mapped)
    numbers = range(reader.num_record_batches)

    def batch(number: int) -> Any:
        """A batch whose lengths and offsets are true: others end the process."""
        read = reader.get_batch(number)
        read.validate(full=True)
        return read

    return _Opened(
        reader.schema,
        sum(batch(number).num_rows for number in numbers),
        lambda columns: (batch(number).select(columns) for number in numbers),
    )


def _vector_columns(schema: Any, path_column: str | None, vector_column: str | None, where: str) -> list[str]:
    """The columns of lists, or of numbers, that the vectors are in."""
    names = list(schema.names)
    for name in (path_column, vector_column):
        if name is not None and names.count(name) != 1:
            listed = printable(", ".join(names[:_NAMED])) + (" ..." if len(names) > _NAMED else "")
            raise DataError(f"{where} has no column {name!r}, or several; its columns are {listed}")
    if vector_column is not None:
        kind = schema.field(vector_column).type
        if not (_is_list(kind) or _is_number(kind)):
            raise DataError(f"column {vector_column!r} of {where} has {kind}; lists of numbers are needed")
        return [vector_column]
    lists = [field.name for field in schema if _is_list(field.type)]
    if len(lists) > 1:
        raise DataError(
            f"{where} has lists of numbers in columns {printable(', '.join(lists[:_NAMED]))}; name one by "
            "--vector-column"
        )
    numbers = [field.name for field in schema if field.name != path_column and _is_number(field.type)]
    if not (lists or numbers):
        raise DataError(f"{where} has no column of vectors: none of lists of numbers, and none of numbers")
    return lists or numbers


def _is_list(kind: Any) -> bool:
    types = pyarrow().types
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    return _is_number(kind.value_type)


def _is_number(kind: Any) -> bool:
    types = pyarrow().types
    return bool(types.is_integer(kind) or types.is_floating(kind))


def _read(table: _Opened, columns: list[str], path_column: str | None, where: str) -> VectorTable:
    out: NDArray[Any] | None = None
    paths: list[str] = []
    at = 0
    for batch in table.batches([*columns, *([path_column] if path_column else [])]):
        rows = _rows_of(batch, columns, at, where)
        if out is None:
            check_memory(table.n_rows * rows.shape[1] * rows.dtype.itemsize, where, "fit on fewer vectors")
            out = np.empty((table.n_rows, rows.shape[1]), rows.dtype)
        if rows.shape[1] != out.shape[1]:
            raise DataError(
                f"{where} has a vector of {rows.shape[1]} numbers in row {at:,}, where the first has "
                f"{out.shape[1]}; all need as many"
            )
        out[at : at + len(rows)] = rows
        at += len(rows)
        if path_column:
            paths += _texts(batch.column(batch.schema.names.index(path_column)), path_column, where)
    if out is None or at != len(out):
        raise DataError(f"{where} has no rows, or other than it states; get a new copy")
    return VectorTable(out, np.array(paths) if path_column else None)


def _rows_of(batch: Any, columns: list[str], first: int, where: str) -> NDArray[Any]:
    """The vectors of a batch, (n, n_features)."""
    arrays = [batch.column(batch.schema.names.index(name)) for name in columns]
    for array in arrays:
        if array.null_count:
            row = first + int(np.argmin(array.is_valid().to_numpy(zero_copy_only=False)))
            raise DataError(f"row {row:,} of {where} has no vector; leave such rows out, or fill them")
    if len(arrays) > 1 or not _is_list(arrays[0].type):
        values = np.stack([array.to_numpy(zero_copy_only=False) for array in arrays], axis=1)
        return np.require(values, native_dtype(values.dtype), ["C", "A"])
    lengths = np.unique(np.asarray(arrays[0].value_lengths()))
    if len(lengths) != 1 or not lengths[0]:
        raise DataError(
            f"{where} has vectors of unlike lengths from row {first:,} on; all need as many numbers"
        )
    values = arrays[0].flatten()
    flat = values.to_numpy(zero_copy_only=False)  # a null among them becomes NaN, which is refused
    return np.require(flat.reshape(len(batch), -1), native_dtype(flat.dtype), ["C", "A"])


def _texts(column: Any, name: str, where: str) -> list[str]:
    values: list[str] = column.to_pylist()
    if not all(isinstance(value, str) for value in values):
        raise DataError(f"column {name!r} of {where} has values that are no texts; paths are needed")
    return values
