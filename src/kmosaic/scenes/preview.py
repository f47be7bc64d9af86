"""A reduced scene and its classes: evenly spaced pixels, for pictures of moderate size."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.scenes.io.raster_scene import open_scene
from kmosaic.scenes.io.read_options import ReadOptions
from kmosaic.scenes.map.class_map import Coding
from kmosaic.scenes.map.classifier import MISSING_LABEL
from kmosaic.scenes.passes.memory_plan import resident_bytes
from kmosaic.scenes.scene import Scene, Strip

# With more bands, only those of the picture are kept.
_MAX_BANDS = 16
# Pixels may take this part of the free memory.
_MEMORY_PARTS = 4


@dataclass(frozen=True, eq=False)
class Quicklook:
    """Every ``step``-th pixel of every ``step``-th line, none of them mixed from others.

    ``values`` is (n_lines, n_columns, n_bands) of the scene's dtype, in the bands' own units; what it holds
    where a pixel is missing means nothing. ``labels`` is (n_lines, n_columns) int32, -1 where missing.
    ``bands`` are the places in the scene of the bands kept, ``rgb`` those in ``values`` of the bands to be
    shown as red, green and blue. The first pixel is that of line and column ``first``.
    """

    step: int
    values: NDArray[Any]
    labels: NDArray[np.int32]
    bands: tuple[int, ...]
    rgb: tuple[int, int, int]

    @property
    def first(self) -> int:
        """The place of the first pixel: in the middle of those it stands for."""
        return self.step // 2


@dataclass(frozen=True)
class QuicklookOptions:
    """How much to keep: about ``n_pixels`` at most, fewer where the process would use over ``memory`` bytes.

    ``rgb`` are the places of the bands to show as red, green and blue.
    """

    n_pixels: int
    rgb: tuple[int, int, int]
    memory: int | None = None


def take_quicklook(
    scene: Scene,
    labels: NDArray[np.int32] | str | os.PathLike[str],
    coding: Coding,
    options: QuicklookOptions,
) -> Quicklook:
    """Reduce a scene and the map of its classes: ``labels``, or the file they were written to.

    Raises DataError where the scene or the map cannot be read.
    """
    n_bands = len(scene.bands)
    bands = tuple(range(n_bands)) if n_bands <= _MAX_BANDS else tuple(dict.fromkeys(options.rgb))
    step = _step(scene, len(bands), options)
    values = _reduced(scene, step, options.memory, lambda strip: strip.values[..., bands])
    if isinstance(labels, np.ndarray):
        reduced = labels[step // 2 :: step, step // 2 :: step].copy()
    else:
        reduced = _labels_in(labels, coding, step, options.memory)
    red, green, blue = (bands.index(band) for band in options.rgb)
    return Quicklook(step, values, reduced, bands, (red, green, blue))


def _step(scene: Scene, n_bands: int, options: QuicklookOptions) -> int:
    grid, max_pixels = scene.grid, max(1, options.n_pixels)
    if options.memory is not None:
        pixel_bytes = n_bands * scene.dtype.itemsize + 8
        fitting = (options.memory - resident_bytes()) // _MEMORY_PARTS // pixel_bytes
        max_pixels = min(max_pixels, max(1, fitting))
    step = max(1, math.ceil(math.sqrt(grid.n_pixels / max_pixels)))
    # A scene of few lines or columns keeps one of each.
    return min(step, max(1, 2 * min(grid.height, grid.width) - 1))


def _labels_in(
    path: str | os.PathLike[str], coding: Coding, step: int, memory: int | None
) -> NDArray[np.int32]:
    with open_scene(path, ReadOptions(bands=(1,), nodata=coding.nodata)) as class_map:

        def labels(strip: Strip) -> NDArray[Any]:
            stored = strip.values[..., 0].astype(np.int32) - coding.first
            return stored if strip.valid is None else np.where(strip.valid, stored, MISSING_LABEL)

        return np.asarray(_reduced(class_map, step, memory, labels), np.int32)


def _reduced(
    scene: Scene, step: int, memory: int | None, select: Callable[[Strip], NDArray[Any]]
) -> NDArray[Any]:
    """The result of ``select`` for every ``step``-th pixel of every ``step``-th line."""
    first = step // 2
    kept = []
    for top, n_lines in _runs(scene, step, memory):
        strip = scene.read(top, n_lines)
        offset = (first - top) % step
        part = Strip(
            top,
            strip.values[offset::step, first::step],
            None if strip.valid is None else strip.valid[offset::step, first::step],
        )
        kept.append(select(part).copy())
    return np.concatenate(kept)


def _runs(scene: Scene, step: int, memory: int | None) -> Iterator[tuple[int, int]]:
    """First line and number of lines to read together: of one row of blocks, fewer where memory is short."""
    height, tall = scene.grid.height, scene.block_height
    if memory is not None:
        line_bytes = scene.grid.width * (scene.dtype.itemsize * len(scene.bands) + 2)
        free = (memory - resident_bytes() - scene.overhead_bytes(1)) // _MEMORY_PARTS
        tall = min(tall, max(1, free // line_bytes))
    line = step // 2
    while line < height:
        end = min(height, (line // tall + 1) * tall)
        last = line + (end - 1 - line) // step * step
        yield line, last - line + 1
        line = last + step
