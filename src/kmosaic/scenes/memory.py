"""How a scene is gone through within a cap on memory."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from kmosaic.errors import DataError
from kmosaic.scenes.pixels import PIXELS_AT_A_TIME
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Scene

_STRIP_PIXELS = 1 << 20  # more than this at a time makes nothing faster
# Measured, a pixel, besides its row: k-means++ and the steps after it; labels, bounds and moves of Lloyd's
# algorithm.
_SEEDING_BYTES = 72
_BOUND_BYTES = 10
_NARROW = 32  # with more bands, the engine also keeps codes and sketches of rows
_WORK_BYTES = 16  # its labels, before and after, and its place among those present
_BYTE = 255
_SPARE = 16 << 20


@dataclass(frozen=True)
class Plan:
    """How many lines a strip has, and for what of all pixels there is room.

    For a byte or two of each for its label; for their rows; and for rows, labels and bounds together.
    """

    n_lines: int
    holds_labels: bool
    holds_rows: bool
    holds_bounds: bool


@dataclass(frozen=True)
class Needs:
    """What a fit needs besides the scene: pixels drawn to start from, and clusters."""

    n_drawn: int
    n_clusters: int


def plan_memory(scene: Scene, scaling: Scaling, needs: Needs, cap: int | None) -> Plan:
    """Plan a fit; a ``cap`` of None is half of the memory that is free.

    Raises
    ------
    DataError
        Where the cap, in bytes for the whole process, is too small to go through the scene line by line.
    """
    if cap is None:
        cap = _resident() + psutil.virtual_memory().available // 2
    n_pixels, n_drawn = scene.grid.n_pixels, min(needs.n_drawn, scene.grid.n_pixels)
    stored = scene.dtype.itemsize * len(scene.bands)
    row = scaling.dtype(scene.dtype).itemsize * len(scene.bands)
    fixed = _resident() + scene.overhead_bytes(scene.block_height) + _SPARE
    wide = 0 if len(scene.bands) <= _NARROW else 64 + 2 * len(scene.bands)
    seeding = n_drawn * (2 * row + _SEEDING_BYTES + wide)
    line = scene.grid.width * 2 * (stored + 1)  # of two strips
    work = stored + row + _WORK_BYTES + (0 if scaling.method == "none" else 16 * len(scene.bands))
    least = fixed + seeding + line + scene.grid.width * work
    if cap < least:
        raise DataError(
            f"a memory of {_megabytes(cap)} is too small for {scene.name}; {_megabytes(least)} is the least "
            "that works"
        )
    room = cap - fixed - seeding
    most_work = PIXELS_AT_A_TIME * work  # of a part of a strip
    n_lines = _lines(scene, max(room // (line + scene.grid.width * work), (room - most_work) // line))
    reading = n_lines * line + min(n_lines * scene.grid.width * work, most_work)
    labels = n_pixels * (1 if needs.n_clusters <= _BYTE else 2)
    rows = fixed + n_pixels * (row + 1)
    return Plan(
        n_lines,
        holds_labels=fixed + reading + max(seeding, labels) <= cap,
        holds_rows=rows + max(reading, seeding, labels) <= cap,
        holds_bounds=rows + max(reading, seeding, n_pixels * (_BOUND_BYTES + wide)) <= cap,
    )


def _lines(scene: Scene, most: int) -> int:
    """Whole blocks of lines, about as many as ``_STRIP_PIXELS`` are, where memory allows."""
    most = min(most, scene.grid.height, max(1, _STRIP_PIXELS // scene.grid.width, scene.block_height))
    return max(1, most // scene.block_height * scene.block_height or most)


def _resident() -> int:
    """What the process takes now."""
    return int(psutil.Process().memory_info().rss)


def _megabytes(n_bytes: int) -> str:
    return f"{-(-n_bytes // 10**6):,} MB"
