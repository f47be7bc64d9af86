"""The memory plan of a fit: strip height, and which per-pixel arrays fit into the memory budget."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from kmosaic.errors import DataError
from kmosaic.scenes.passes.pixels import PIXELS_PER_BLOCK
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Scene

_STRIP_PIXELS = 1 << 20  # larger strips are not faster
_SMALL_STRIP_PIXELS = 1 << 16
# Measured per pixel, besides its row: k-means++ and the steps after it; labels, bounds and label changes of
# Lloyd's algorithm.
_SEEDING_BYTES = 72
_BOUND_BYTES = 10
_LOW_DIM_BANDS = 32  # with more bands, the engine also keeps quantised rows and PCA codes
_WORK_BYTES = 16  # a pixel's old and new label, and its position among the valid pixels
_MAX_BYTE_LABELS = 255
START_VARIATION = 3 << 20  # the memory of a process at its start differs by this much from run to run
_SPARE = 4 << 20  # measured: reading takes 10 to 20 MB less than its upper bound


@dataclass(frozen=True)
class MemoryPlan:
    """Strip height, and which per-pixel arrays fit into the memory budget.

    ``holds_labels`` is for labels of a byte or two alone, ``holds_rows`` for rows, and ``holds_bounds`` for
    rows, labels and bounds together.
    """

    n_lines: int
    holds_labels: bool
    holds_rows: bool
    holds_bounds: bool


@dataclass(frozen=True)
class Needs:
    """Sizes of a fit besides the scene's: pixels drawn for seeding, and clusters."""

    n_drawn: int
    n_clusters: int


def plan_memory(scene: Scene, scaling: Scaling, needs: Needs, cap: int | None) -> MemoryPlan:
    """MemoryPlan a fit; a ``cap`` of None is half of the memory that is free.

    Raises DataError where the cap, in bytes for the whole process, is too small to go through the scene line
    by line.
    """
    if cap is None:
        cap = resident_bytes() + psutil.virtual_memory().available // 2
    plan = _plan(scene, scaling, needs, cap, _STRIP_PIXELS)
    if not plan.holds_rows:  # rows may fit beside smaller strips
        low = _plan(scene, scaling, needs, cap, _SMALL_STRIP_PIXELS)
        plan = low if low.holds_rows else plan
    return plan


def _plan(scene: Scene, scaling: Scaling, needs: Needs, cap: int, strip_pixels: int) -> MemoryPlan:
    n_pixels, n_drawn = scene.grid.n_pixels, min(needs.n_drawn, scene.grid.n_pixels)
    stored = scene.dtype.itemsize * len(scene.bands)
    row = scaling.dtype(scene.dtype).itemsize * len(scene.bands)
    fixed = resident_bytes() + scene.overhead_bytes(scene.block_height) + _SPARE
    wide = 0 if len(scene.bands) <= _LOW_DIM_BANDS else 64 + 2 * len(scene.bands)
    seeding = n_drawn * (2 * row + _SEEDING_BYTES + wide)
    line = scene.grid.width * 2 * (stored + 1)  # in two strips: one is read while the other is used
    work = stored + row + _WORK_BYTES + (0 if scaling.method == "none" else 16 * len(scene.bands))
    min_cap = fixed + seeding + line + scene.grid.width * work
    if cap < min_cap:
        raise DataError(
            f"a memory of {megabytes(cap)} is too small for {scene.name}; "
            f"{megabytes(min_cap + START_VARIATION)} is the least that works"
        )
    free = cap - fixed - seeding
    max_work = PIXELS_PER_BLOCK * work
    max_lines = max(free // (line + scene.grid.width * work), (free - max_work) // line)
    n_lines = _lines(scene, max_lines, strip_pixels)
    reading = n_lines * line + min(n_lines * scene.grid.width * work, max_work)
    labels = n_pixels * (1 if needs.n_clusters <= _MAX_BYTE_LABELS else 2)
    rows = fixed + n_pixels * row + n_pixels // 8
    return MemoryPlan(
        n_lines,
        holds_labels=fixed + reading + max(seeding, labels) <= cap,
        holds_rows=rows + max(reading, seeding, labels) <= cap,
        holds_bounds=rows + max(reading, seeding, n_pixels * (_BOUND_BYTES + wide)) <= cap,
    )


def _lines(scene: Scene, max_lines: int, strip_pixels: int) -> int:
    """Whole blocks of lines of about ``strip_pixels`` in all, where memory allows."""
    wanted = max(1, strip_pixels // scene.grid.width, scene.block_height)
    n_lines = min(max_lines, scene.grid.height, wanted)
    return max(1, n_lines // scene.block_height * scene.block_height or n_lines)


def resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def megabytes(n_bytes: int) -> str:
    """A number of bytes in units of 10**6, those of ``--memory``, rounded up so that it is enough."""
    return f"{-(-n_bytes // 10**6):,} MB"
