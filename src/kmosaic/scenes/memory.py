"""How a scene is gone through within a cap on memory."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from kmosaic.errors import DataError
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Scene

_STRIP_PIXELS = 1 << 20  # more than this at a time makes nothing faster
_SEEDING_BYTES_A_PIXEL = 160  # measured: k-means++ and the steps after it on the pixels drawn, besides rows
_LABEL_BYTES = 24  # measured: labels, bounds and the first step's moves
_SPARE = 16 << 20


@dataclass(frozen=True)
class Plan:
    """Lines of a strip; whether all rows can be held; whether labels and bounds can be held beside them."""

    n_lines: int
    holds_rows: bool
    holds_labels: bool


def plan_memory(scene: Scene, scaling: Scaling, cap: int | None, n_drawn: int) -> Plan:
    """Plan a fit that begins with ``n_drawn`` pixels; a ``cap`` of None is half of the memory that is free.

    Raises
    ------
    DataError
        Where the cap, in bytes for the whole process, is too small to go through the scene line by line.
    """
    if cap is None:
        cap = _resident() + psutil.virtual_memory().available // 2
    n_bands = len(scene.bands)
    stored, row = scene.dtype.itemsize * n_bands, scaling.dtype(scene.dtype).itemsize * n_bands
    # Two strips as stored and one as rows, their masks, a float64 copy of bands that are scaled, and labels.
    line = scene.grid.width * (3 * stored + row + 3 + 8 + (0 if scaling.method == "none" else 16 * n_bands))
    n_drawn = min(n_drawn, scene.grid.n_pixels)
    fixed = _resident() + scene.overhead_bytes + n_drawn * (2 * row + _SEEDING_BYTES_A_PIXEL) + _SPARE
    if cap < fixed + line:
        raise DataError(
            f"a memory of {_megabytes(cap)} is too small for {scene.name}; {_megabytes(fixed + line)} is the "
            "least that works"
        )
    n_lines = _lines(scene, (cap - fixed) // line)
    left = cap - fixed - n_lines * line
    rows = scene.grid.n_pixels * (row + 1)
    return Plan(n_lines, left >= rows, left >= rows + scene.grid.n_pixels * _LABEL_BYTES)


def _lines(scene: Scene, most: int) -> int:
    """Whole blocks of lines, about as many as ``_STRIP_PIXELS`` are, where memory allows."""
    most = min(most, scene.grid.height, max(1, _STRIP_PIXELS // scene.grid.width, scene.block_height))
    return max(1, most // scene.block_height * scene.block_height or most)


def _resident() -> int:
    """What the process takes now."""
    return int(psutil.Process().memory_info().rss)


def _megabytes(n_bytes: int) -> str:
    return f"{-(-n_bytes // (1 << 20)):,} MB"
