"""How a scene is gone through within a cap on memory."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from kmosaic.errors import DataError
from kmosaic.scenes.passes.pixels import PIXELS_AT_A_TIME
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Scene

_STRIP_PIXELS = 1 << 20  # more than this at a time makes nothing faster
_FEW_PIXELS = 1 << 16
# Measured, a pixel, besides its row: k-means++ and the steps after it; labels, bounds and moves of Lloyd's
# algorithm.
_SEEDING_BYTES = 72
_BOUND_BYTES = 10
_NARROW = 32  # with more bands, the engine also keeps codes and sketches of rows
_WORK_BYTES = 16  # its labels, before and after, and its place among those present
_BYTE = 255
UNSTEADY = 3 << 20  # what a process takes at the outset differs by as much from run to run
_SPARE = 4 << 20  # reading is seen to take 10 to 20 MB less than it may


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
        cap = resident_bytes() + psutil.virtual_memory().available // 2
    plan = _plan(scene, scaling, needs, cap, _STRIP_PIXELS)
    if not plan.holds_rows:  # there may be room for all where strips take less
        low = _plan(scene, scaling, needs, cap, _FEW_PIXELS)
        plan = low if low.holds_rows else plan
    return plan


def _plan(scene: Scene, scaling: Scaling, needs: Needs, cap: int, strip_pixels: int) -> Plan:
    n_pixels, n_drawn = scene.grid.n_pixels, min(needs.n_drawn, scene.grid.n_pixels)
    stored = scene.dtype.itemsize * len(scene.bands)
    row = scaling.dtype(scene.dtype).itemsize * len(scene.bands)
    fixed = resident_bytes() + scene.overhead_bytes(scene.block_height) + _SPARE
    wide = 0 if len(scene.bands) <= _NARROW else 64 + 2 * len(scene.bands)
    seeding = n_drawn * (2 * row + _SEEDING_BYTES + wide)
    line = scene.grid.width * 2 * (stored + 1)  # of two strips
    work = stored + row + _WORK_BYTES + (0 if scaling.method == "none" else 16 * len(scene.bands))
    least = fixed + seeding + line + scene.grid.width * work
    if cap < least:
        raise DataError(
            f"a memory of {megabytes(cap)} is too small for {scene.name}; {megabytes(least + UNSTEADY)} is "
            "the least that works"
        )
    room = cap - fixed - seeding
    most_work = PIXELS_AT_A_TIME * work  # of a part of a strip
    most = max(room // (line + scene.grid.width * work), (room - most_work) // line)
    n_lines = _lines(scene, most, strip_pixels)
    reading = n_lines * line + min(n_lines * scene.grid.width * work, most_work)
    labels = n_pixels * (1 if needs.n_clusters <= _BYTE else 2)
    rows = fixed + n_pixels * row + n_pixels // 8
    return Plan(
        n_lines,
        holds_labels=fixed + reading + max(seeding, labels) <= cap,
        holds_rows=rows + max(reading, seeding, labels) <= cap,
        holds_bounds=rows + max(reading, seeding, n_pixels * (_BOUND_BYTES + wide)) <= cap,
    )


def _lines(scene: Scene, most: int, strip_pixels: int) -> int:
    """Whole blocks of lines, about as many as ``strip_pixels`` are, where memory allows."""
    most = min(most, scene.grid.height, max(1, strip_pixels // scene.grid.width, scene.block_height))
    return max(1, most // scene.block_height * scene.block_height or most)


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    return int(psutil.Process().memory_info().rss)


def megabytes(n_bytes: int) -> str:
    """A number of bytes in units of 10**6, those of ``--memory``, rounded up so that it is enough."""
    return f"{-(-n_bytes // 10**6):,} MB"
