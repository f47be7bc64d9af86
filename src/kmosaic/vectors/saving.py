"""Writing vectors, with the paths of what they are of where the file has room for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.arrow_table import pyarrow, utf8
from kmosaic.errors import OutputError
from kmosaic.files import atomic_write

SUFFIXES = (".npy", ".npz", ".parquet")
_ROWS_TOGETHER = 8192


def check_vectors_name(path: Path) -> None:
    """Raise OutputError where the name says no kind of file that vectors can be written to.

    Raises MissingLibraryError where it needs pyarrow, and that is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{path} must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if path.suffix.lower() == ".parquet":
        pyarrow()


def save_vectors(path: Path, vectors: NDArray[Any], ids: Sequence[str], *, overwrite: bool = False) -> None:
    """Write vectors (n, n_features) by the suffix of ``path``, whole or not at all.

    A .npy file has the vectors alone; an .npz file ``vectors`` and ``paths``; a Parquet file the columns
    ``file`` and ``vector``.

    Raises OutputError as ``check_vectors_name``, or when the file exists and ``overwrite`` is false.
    """
    check_vectors_name(path)
    with atomic_write(path, overwrite=overwrite) as temporary:
        if path.suffix.lower() == ".parquet":
            _write_parquet(temporary, vectors, ids)
            return
        with temporary.open("wb") as stream:
            if path.suffix.lower() == ".npy":
                np.save(stream, vectors[:], allow_pickle=False)
            else:
                paths = np.array([utf8(each) for each in ids])
                np.savez(stream, vectors=vectors[:], paths=paths)


def _write_parquet(path: Path, vectors: NDArray[Any], ids: Sequence[str]) -> None:
    from pyarrow import parquet

    pa = pyarrow()
    kind = pa.list_(pa.from_numpy_dtype(vectors.dtype), vectors.shape[1])
    schema = pa.schema([("file", pa.string()), ("vector", kind)])
    with parquet.ParquetWriter(path, schema) as writer:
        for first in range(0, len(vectors), _ROWS_TOGETHER):
            part = np.ascontiguousarray(vectors[first : first + _ROWS_TOGETHER])
            texts = pa.array([utf8(each) for each in ids[first : first + len(part)]])
            lists = pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), vectors.shape[1])
            writer.write_table(pa.Table.from_arrays([texts, lists], schema=schema))
