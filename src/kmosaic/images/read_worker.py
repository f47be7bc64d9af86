"""One image file read in one of three ways, and the process that reads many for another: see ``reading``.

It imports little: a worker process is there in a fifth of a second.
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.images.decode import (
    ImageHeader,
    PixelForm,
    UnusableImageError,
    decode,
    decode_reduced,
    pillow_warnings,
    read_header,
)


@dataclass(frozen=True, slots=True, eq=False)
class FileRead:
    """What was read of an image file: header, values, bytes; or the reason why it cannot be used."""

    header: ImageHeader | None = None
    values: NDArray[Any] | None = None
    n_bytes: int = 0
    reason: str = ""


def read_file(way: str, path: Path, form: PixelForm | None) -> FileRead:
    """Read the "header" of a file, or its values in ``form``: "whole", or "reduced" with the header."""
    try:
        if way == "header" or form is None:
            return FileRead(read_header(path))
        if way == "whole":
            return FileRead(None, decode(path, form))
        header, values = decode_reduced(path, form)
        return FileRead(header, values, path.stat().st_size)
    except UnusableImageError as error:
        return FileRead(reason=str(error))


def serve() -> None:
    """Answer requests on stdin, a line of JSON each, until it ends: with one, then the values' bytes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the other process's to answer
    out = sys.stdout.buffer
    with pillow_warnings():
        for line in sys.stdin.buffer:
            way, paths, given = json.loads(line)
            form = None if given is None else PixelForm(tuple(given[0]), *given[1:])
            read = [read_file(way, Path(path), form) for path in paths]
            out.write(json.dumps([_entry(one) for one in read]).encode() + b"\n")
            for one in read:
                if one.values is not None:
                    out.write(np.ascontiguousarray(one.values).data)
            out.flush()


def _entry(read: FileRead) -> list[Any]:
    header = read.header
    form = None if header is None else [header.height, header.width, header.colour, header.deep]
    return [form, read.values is not None, read.n_bytes, read.reason]
