"""Tables by pyarrow, the extra ``tables``: the library, or an error on how to install it; writing Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from kmosaic.libraries import library

_ROWS_TOGETHER = 65_536


def pyarrow() -> Any:
    """Return the library. Raises MissingLibraryError where it is not installed."""
    return library("pyarrow", "tables", "Parquet, Arrow and Feather files are read and written")


def write_parquet(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows under the names of ``header``: the first of them decides the columns' types."""
    import pyarrow.parquet as parquet

    pa, left = pyarrow(), iter(rows)
    batch = list(islice(left, _ROWS_TOGETHER))
    table = _table(pa, header, batch, None)
    with parquet.ParquetWriter(path, table.schema) as writer:
        while batch:
            writer.write_table(table)
            batch = list(islice(left, _ROWS_TOGETHER))
            table = _table(pa, header, batch, table.schema)


def _table(pa: Any, header: Sequence[str], rows: Sequence[Sequence[object]], schema: Any) -> Any:
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    texts = [[utf8(value) for value in column] for column in columns]
    return pa.table(dict(zip(header, texts, strict=True)), schema=schema)


def utf8(value: object) -> object:
    """Return a text as UTF-8 can write it, which file names need not be: the rest is escaped."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
