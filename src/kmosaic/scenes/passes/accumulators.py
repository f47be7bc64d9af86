"""Passes over all valid pixels of a scene that accumulate statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.scene import Scene, Strip
from kmosaic.scenes.stats.moments import PIXELS

Progress = Callable[[int, int], None]
"""Called with the lines done, and how many there are: lines of all passes over the scene."""


class Accumulator(Protocol):
    """Statistics that pixels are added to, in any order."""

    def add(self, pixels: NDArray[Any]) -> None:
        """Add pixels (n, n_bands), 1 to ``PIXELS`` of them."""

    def merge(self, other: Self) -> None:
        """Add the pixels of another."""


A = TypeVar("A", bound=Accumulator)


class Passes(Protocol):
    """Passes over the valid pixels of a scene."""

    def origin(self) -> NDArray[np.float64] | None:
        """The first valid pixel; None where it is the first to be added anyway."""

    def accumulate(self, empty: A, n_passes: int = 1, number: int = 0) -> A:
        """Add all pixels to ``empty``, in pass ``number``, from 0, of ``n_passes``; return it.

        Raises DataError where there is none.
        """


class ScenePasses:
    """Passes in which this process reads the strips: ``Passes``."""

    def __init__(self, scene: Scene, strip_lines: int, progress: Progress | None) -> None:
        self._scene = scene
        self._step = min(strip_lines, scene.grid.height)
        self._progress = progress
        self._buffer = np.empty((self._step, scene.grid.width, len(scene.bands)), scene.dtype)

    def origin(self) -> None:
        """See ``Passes``."""

    def accumulate(self, empty: A, n_passes: int = 1, number: int = 0) -> A:
        height = self._scene.grid.height
        not_empty = False
        for top in range(0, height, self._step):
            n_lines = min(self._step, height - top)
            for pixels in pixel_batches(self._scene.read(top, n_lines, self._buffer[:n_lines])):
                not_empty = True
                empty.add(pixels)
            if self._progress:
                self._progress(number * height + top + n_lines, n_passes * height)
        if not not_empty:
            raise no_pixel(self._scene)
        return empty


def no_pixel(scene: Scene) -> DataError:
    """Return the error for a scene without valid pixels."""
    return DataError(f"{scene.name} has no valid pixel: all pixels are nodata or masked")


def pixel_batches(strip: Strip) -> Iterator[NDArray[Any]]:
    """Yield the valid pixels of a strip in batches: a copy of all would take as much memory as the strip.

    They are (n, n_bands), 1 to ``PIXELS`` of them.
    """
    flat = strip.values.reshape(-1, strip.values.shape[-1])
    valid = None if strip.valid is None else strip.valid.ravel()
    for first in range(0, len(flat), PIXELS):
        pixels = flat[first : first + PIXELS]
        if valid is not None:
            pixels = pixels[valid[first : first + PIXELS]]
        if len(pixels):
            yield pixels
