"""Reading an array's bytes from a file, plain or being unpacked, without a second copy of them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

_CHUNK = 1 << 20
# Deflate's best is 258 bytes for two bits: nothing unpacks to more than 1032 times its size.
MAX_DEFLATE_RATIO = 1032


class ByteReader(Protocol):
    """What files, gzip files and members of zip archives have in common."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""


def fill(stream: ByteReader, values: NDArray[Any]) -> int:
    """Read the bytes of ``values``, contiguous in any order, from ``stream``; return how many there were."""
    flat = values.reshape(-1, order="A")
    buffer = flat.view(np.uint8).data if flat.nbytes else memoryview(bytearray())
    filled = 0
    while filled < len(buffer):
        chunk = stream.read(min(_CHUNK, len(buffer) - filled))
        if not chunk:
            break
        buffer[filled : filled + len(chunk)] = chunk
        filled += len(chunk)
    return filled
