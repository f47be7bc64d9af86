"""Vectors that are written as they come, so that what was interrupted goes on from where it was."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import OutputError
from kmosaic.files import atomic_write, read_at_most
from kmosaic.text import count

_FORMAT = "kmosaic vectors 1"
_MAX_NOTE_BYTES = 1 << 20
_SECONDS_BETWEEN_NOTES = 2.0
_PIECE_BYTES = 1 << 26


class GrowingVectors:
    """``<name>.part``, a .npy file whose rows are written one block after the other, and a note beside it.

    The note, ``<name>.part.json``, says what the rows are ``made_of`` and how many are done. Both stay behind
    when the work breaks off; where they are of the same, ``n_done`` rows are there already. Rows that end in
    the middle of a block of ``step`` are made again, so that blocks are cut as in a single run.

    Raises
    ------
    OutputError
        On entry, where what is there is of something else, unless ``restart``; on exit, where a row could not
        be written: it says how many are kept.
    """

    def __init__(
        self, path: Path, shape: tuple[int, int], dtype: Any, made_of: Mapping[str, Any], *, step: int
    ) -> None:
        self.path = path.with_name(f"{path.name}.part")
        self.n_done = 0
        self._target = path
        self._shape = shape
        self._dtype = np.dtype(dtype)
        self._made_of = dict(made_of)
        self._step = step
        self._row_bytes = shape[1] * self._dtype.itemsize

    @property
    def note(self) -> Path:
        """Where it is said what the rows are."""
        return self.path.with_name(f"{self.path.name}.json")

    def check_same(self) -> None:
        """Raise OutputError where rows that are there already are of something else."""
        noted = self._noted()
        if noted is None:
            return
        others = sorted(
            name for name in {*noted, *self._made_of} if noted.get(name) != self._made_of.get(name)
        )
        if others:
            raise OutputError(
                f"{self.path} was begun with other {', '.join(others)}; remove it, or start anew (--force)"
            )

    def __enter__(self) -> Self:
        if self.path.is_symlink():
            raise OutputError(f"{self.path} is a link; remove it, or write elsewhere")
        header = self._header()
        n_kept = self._n_kept(header)
        mode = "r+b" if n_kept else "wb"
        self._stream = self.path.open(mode)
        try:
            if not n_kept:
                self._stream.write(header)
            self._stream.truncate(len(header) + n_kept * self._row_bytes)
            self._stream.seek(0, os.SEEK_END)
            self.n_done = n_kept
            self._write_note()
        except BaseException:
            self._stream.close()
            raise
        return self

    def append(self, rows: NDArray[Any]) -> None:
        """Write the rows that come next; those of float32 that float16 does not hold are an OutputError."""
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(rows, self._dtype)
        if not np.isfinite(stored).all():
            largest = float(np.abs(rows).max())
            raise OutputError(
                f"{self._target}: values go to {largest:g}, which {self._dtype} does not hold; write float32"
            )
        self._stream.write(stored.data)
        self._stream.flush()
        self.n_done += len(rows)
        if time.monotonic() - self._noted_at > _SECONDS_BETWEEN_NOTES:
            self._write_note()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        try:
            self._write_note()
        except OSError as failure:
            if kind is None:
                raise OutputError(f"{self.path} cannot be written: {failure.strerror}") from failure
        finally:
            try:
                self._stream.close()
            except OSError as failure:
                error = error or failure
        if error is not None and self.n_done == 0:
            self.discard()
            return
        kept = f"{self.n_done:,} of {count(self._shape[0], 'vector')} are in {self.path}"
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(f"{kept}; the same command goes on from there") from error
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            raise OutputError(f"{self._target}: {error.strerror}; {kept}, and the same command goes on")

    def finished(self) -> NDArray[Any]:
        """Return all rows, mapped from the file, which is whole now."""
        return np.load(self.path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]

    def give_name(self, *, overwrite: bool) -> NDArray[Any]:
        """Give the file its name, and return its rows, mapped from there."""
        if self._target.exists() and not overwrite:
            raise OutputError(f"{self._target} exists; {self.path} is whole, and may be renamed")
        self.path.replace(self._target)
        self.note.unlink(missing_ok=True)
        return np.load(self._target, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]

    def discard(self) -> None:
        """Remove the file and its note."""
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _header(self) -> bytes:
        from io import BytesIO

        stream = BytesIO()
        fields = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": self._shape,
        }
        np.lib.format.write_array_header_1_0(stream, fields)
        return stream.getvalue()

    def _n_kept(self, header: bytes) -> int:
        """How many rows, in whole blocks, are there of the same."""
        noted = self._noted()
        if noted != self._made_of:
            return 0
        try:
            size = self.path.stat().st_size
            with self.path.open("rb") as stream:
                same = stream.read(len(header)) == header
        except OSError:
            return 0
        n_rows: int = min(self._n_noted, max(0, size - len(header)) // self._row_bytes, self._shape[0])
        if not same:
            return 0
        return n_rows if n_rows == self._shape[0] else n_rows - n_rows % self._step

    def _noted(self) -> dict[str, Any] | None:
        """What rows that are there are made of; None where there are none, or no note that can be read."""
        self._n_noted = 0
        try:
            fields = json.loads(read_at_most(self.note, _MAX_NOTE_BYTES))
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(fields, dict) or fields.get("format") != _FORMAT:
            return None
        made_of, n_done = fields.get("made_of"), fields.get("rows_done")
        if not isinstance(made_of, dict) or type(n_done) is not int or n_done < 0 or not self.path.is_file():
            return None
        self._n_noted = n_done
        return made_of

    def _write_note(self) -> None:
        """Say how many rows are done, after these are on the disk."""
        self._stream.flush()
        os.fsync(self._stream.fileno())
        fields = {"format": _FORMAT, "rows_done": self.n_done, "made_of": self._made_of}
        with atomic_write(self.note, overwrite=True) as temporary:
            temporary.write_text(json.dumps(fields, indent=1), encoding="utf-8")
        self._noted_at = time.monotonic()


def digest_of_rows(rows: NDArray[Any]) -> str:
    """Return the SHA-256 of rows, in their order, dtype and shape.

    >>> digest_of_rows(np.zeros((2, 3), np.uint8))[:8]
    '56ba2b0a'
    """
    digest = hashlib.sha256(f"{rows.dtype.str}{rows.shape}".encode())
    together = max(1, _PIECE_BYTES // max(1, rows[:1].nbytes))
    for first in range(0, len(rows), together):
        digest.update(np.ascontiguousarray(rows[first : first + together]).data)
    return digest.hexdigest()
