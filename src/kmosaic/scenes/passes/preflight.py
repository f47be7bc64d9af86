"""The preflight check of memory and disk space, before anything is read: a file of a few bytes can declare a
scene of any size."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from kmosaic.errors import DataError, OutputError
from kmosaic.scenes.passes.memory_plan import megabytes
from kmosaic.scenes.scene import Scene

# Deflate copies at most 258 bytes by two bits.
_MAX_DEFLATE_RATIO = 1032
_LARGE_PIXELS = 10**10  # half a minute an iteration, where there are four bands: see docs/measurements/


@dataclass(frozen=True)
class Output:
    """A raster to be written: where to, and the bytes of a pixel before compression."""

    path: str | os.PathLike[str]
    pixel_bytes: int


def check_space(scene: Scene, held_bytes: int, outputs: Iterable[Output]) -> None:
    """Refuse what certainly does not fit: ``held_bytes`` a pixel in memory, and outputs on their disks.

    Raises DataError where less memory is free than is to be held; OutputError where a disk has too little
    space for an output, however well that is compressed.

    Warns
    -----
    UserWarning
        Where the scene is so large that it takes hours: how large, and what outputs may come to.
    """
    grid = scene.grid
    size = f"{scene.name} has {grid.width:,} x {grid.height:,} pixels"
    free = psutil.virtual_memory().available
    held = held_bytes * grid.n_pixels
    if held > free:
        raise DataError(
            f"{size}; {megabytes(held)} would be held in memory, where {megabytes(free)} are free: write the "
            "map to a file, without a sieve"
        )
    written = 0
    for output in outputs:
        free = shutil.disk_usage(Path(output.path).absolute().parent).free
        written += output.pixel_bytes * grid.n_pixels
        min_bytes = output.pixel_bytes * grid.n_pixels // _MAX_DEFLATE_RATIO
        if min_bytes > free:
            raise OutputError(
                f"{size}; {output.path} would take {megabytes(min_bytes)} at the very least, and its disk "
                f"has {megabytes(free)} left: write elsewhere, or a part of the scene"
            )
    if grid.n_pixels > _LARGE_PIXELS:
        read = grid.n_pixels * len(scene.bands) * scene.dtype.itemsize
        outputs_take = f", and outputs take up to {_gigabytes(written)}" if written else ""
        warnings.warn(f"{size}: every pass reads {_gigabytes(read)}{outputs_take}", stacklevel=2)


def _gigabytes(n_bytes: int) -> str:
    return f"{n_bytes / 10**9:,.0f} GB"
