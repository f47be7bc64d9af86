"""IDX, the file format of MNIST: a short header with the type and shape, then the values, big-endian.

Described at the end of http://yann.lecun.com/exdb/mnist/. A header is believed only as far as the file's size
bears it out, and a compressed file is never unpacked past what its header states.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.images.memory_check import check_memory
from kmosaic.images.stream import MAX_DEFLATE_RATIO, ByteReader, fill
from kmosaic.text import printable

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 4
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class IdxHeader:
    """What an IDX header states: NumPy dtype (big-endian) and shape, and its own raw bytes."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    raw: bytes

    @property
    def n_bytes(self) -> int:
        """Bytes of values that follow the header."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_idx(path: str | os.PathLike[str], *, checksum: str | None = None) -> NDArray[Any]:
    """The array in an IDX file, plain or gzip-compressed (told by content), in the machine's byte order.

    ``checksum`` is that of the unpacked file: "sha256:" or "md5:" and the hexadecimal digest.

    Raises
    ------
    DataError
        When the file cannot be opened, is no IDX file, is shorter or longer than its header states, is a
        damaged or truncated gzip file, does not fit into memory, or has another checksum.
    """
    file = Path(path)
    where = printable(str(file))
    try:
        with file.open("rb") as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            size = os.fstat(raw.fileno()).st_size
            if packed:
                with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
                    return _read(unpacked, where, size * MAX_DEFLATE_RATIO, checksum)
            return _read(raw, where, size, checksum)
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{where} is a damaged gzip file ({error}); get a new copy") from error
    except EOFError as error:
        raise DataError(f"{where} is a truncated gzip file; get a new copy") from error
    except OSError as error:
        raise DataError(f"{where} cannot be read: {error.strerror or error}") from error


def _read(stream: ByteReader, where: str, max_bytes: int, checksum: str | None) -> NDArray[Any]:
    header = _read_header(stream, where)
    if len(header.raw) + header.n_bytes > max_bytes:
        raise DataError(
            f"{where} is truncated: {_stated(header)}, more than the file can hold; get a new copy"
        )
    check_memory(header.n_bytes, where, "free some memory")
    values = np.empty(header.shape, dtype=header.dtype)
    filled = fill(stream, values)
    if filled < header.n_bytes:
        raise DataError(f"{where} is truncated: {_stated(header)}, {filled} are there; get a new copy")
    # Reading past the end also makes gzip compare its CRC-32.
    if stream.read(1):
        raise DataError(f"{where} is no IDX file: {_stated(header)}, and the file goes on after them")
    if checksum is not None:
        _compare_checksum(where, checksum, header.raw, values)
    return values.astype(header.dtype.newbyteorder("="), copy=False)


def _read_header(stream: ByteReader, where: str) -> IdxHeader:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        raise DataError(f"{where} is no IDX file: it starts with {magic.hex(' ') or 'nothing'}")
    n_dimensions = magic[3]
    if not 1 <= n_dimensions <= MAX_DIMENSIONS:
        raise DataError(f"{where} has {n_dimensions} dimensions; 1 to {MAX_DIMENSIONS} can be read")
    sizes = stream.read(4 * n_dimensions)
    if len(sizes) < 4 * n_dimensions:
        raise DataError(f"{where} is truncated: it ends inside its header; get a new copy")
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
    # NumPy bounds the product of all sizes even where one of them is 0.
    if math.prod(max(n, 1) for n in shape) * 8 > np.iinfo(np.intp).max:
        raise DataError(f"{where} is no IDX file: its header states the shape {shape}")
    return IdxHeader(np.dtype(_DTYPES[magic[2]]), shape, magic + sizes)


def _stated(header: IdxHeader) -> str:
    shape = " x ".join(str(n) for n in header.shape)
    return f"its header states {shape} values, {header.n_bytes} bytes"


def _compare_checksum(where: str, checksum: str, header: bytes, values: NDArray[Any]) -> None:
    algorithm, _, expected = checksum.partition(":")
    digest = hashlib.new(algorithm, usedforsecurity=False)
    digest.update(header)
    digest.update(values.data)
    if digest.hexdigest() != expected:
        raise DataError(
            f"{where} has a wrong checksum: its content unpacked is {algorithm} {digest.hexdigest()}, "
            f"published is {expected}; delete the file and get a new copy"
        )
