"""All present pixels of a scene, strip by strip, added to something that gathers them."""

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


class Gathering(Protocol):
    """What pixels are added to, in any order."""

    def add(self, pixels: NDArray[Any]) -> None:
        """Take in pixels (n, n_bands), 1 to ``PIXELS`` of them."""

    def merge(self, other: Self) -> None:
        """Take in the pixels of another."""


G = TypeVar("G", bound=Gathering)


class Passes(Protocol):
    """The pixels of a scene that are present, as often as it takes."""

    def origin(self) -> NDArray[np.float64] | None:
        """The first pixel; None where it is the first to be added anyway."""

    def gathered(self, empty: G, n_passes: int = 1, number: int = 0) -> G:
        """Add all pixels to ``empty``, in pass ``number``, from 0, of so many.

        Raises
        ------
        DataError
            Where there is none.
        """


class ScenePasses:
    """The pixels, strip by strip, read here: ``Passes``."""

    def __init__(self, scene: Scene, strip_lines: int, progress: Progress | None) -> None:
        self._scene = scene
        self._step = min(strip_lines, scene.grid.height)
        self._progress = progress
        self._buffer = np.empty((self._step, scene.grid.width, len(scene.bands)), scene.dtype)

    def origin(self) -> None:
        """See ``Passes``."""

    def gathered(self, empty: G, n_passes: int = 1, number: int = 0) -> G:
        """See ``Passes``."""
        height = self._scene.grid.height
        found = False
        for top in range(0, height, self._step):
            n_lines = min(self._step, height - top)
            for pixels in few_pixels(self._scene.read(top, n_lines, self._buffer[:n_lines])):
                found = True
                empty.add(pixels)
            if self._progress:
                self._progress(number * height + top + n_lines, n_passes * height)
        if not found:
            raise no_pixel(self._scene)
        return empty


def no_pixel(scene: Scene) -> DataError:
    """Return the error of a scene where no pixel is present."""
    return DataError(f"{scene.name} has no pixel that is present: all is nodata or masked")


def few_pixels(strip: Strip) -> Iterator[NDArray[Any]]:
    """Yield the pixels of a strip that are present, few at a time: a copy of all takes as much memory again.

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
