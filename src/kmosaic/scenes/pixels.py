"""A scene's pixels as blocks of rows, within a cap on memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines import Block, Rows
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Scene, Strip

T = TypeVar("T")
OnPass = Callable[[int, int], None]
"""Called with the lines read in this pass, and all there are."""

PIXELS_AT_A_TIME = 1 << 20
"""Of a block: their labels stay in cache until they are summed."""


class StripReader:
    """Reads a scene from top to bottom, the next strip while the caller is busy with the one before.

    Parameters
    ----------
    scene : Scene
    n_lines : lines of a strip
    """

    def __init__(self, scene: Scene, n_lines: int, on_pass: OnPass | None = None) -> None:
        self.scene = scene
        self.n_lines = min(n_lines, scene.grid.height)
        self._on_pass = on_pass
        shape = (2, self.n_lines, scene.grid.width, len(scene.bands))
        self._buffers = np.empty(shape, scene.dtype)  # one is read into while the other is used

    def strips(self) -> Iterator[Strip]:
        """The strips, from top to bottom; the memory of each is used again for the one after the next."""
        height = self.scene.grid.height
        tops = range(0, height, self.n_lines)
        with ThreadPoolExecutor(1, "kmosaic-reader") as reader:
            ahead = reader.submit(self._read, 0)
            for number, top in enumerate(tops):
                strip = ahead.result()
                if top + self.n_lines < height:
                    ahead = reader.submit(self._read, number + 1)
                yield strip
                if self._on_pass is not None:
                    self._on_pass(min(top + self.n_lines, height), height)

    def _read(self, number: int) -> Strip:
        top = number * self.n_lines
        n_lines = min(self.n_lines, self.scene.grid.height - top)
        return self.scene.read(top, n_lines, self._buffers[number % 2, :n_lines])


class ScenePixels:
    """A scene's present pixels, read anew each time they are gone through: ``Blocks``.

    A pixel's position is line * width + column. Rows are the pixels' scaled values.
    """

    def __init__(self, reader: StripReader, scaling: Scaling) -> None:
        self._reader = reader
        self._scaling = scaling
        self.n_features = len(reader.scene.bands)
        self.dtype = scaling.dtype(reader.scene.dtype)

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        """See ``Blocks``."""
        for strip in self._reader.strips():
            n_lines = max(1, PIXELS_AT_A_TIME // strip.values.shape[1])
            for line in range(0, len(strip.values), n_lines):
                yield task(self._block(strip, slice(line, line + n_lines)))

    def _block(self, strip: Strip, lines: slice) -> Block:
        part = strip.lines(lines)
        present = None if part.valid is None else part.valid.ravel()
        rows = np.require(self._scaling.rows(part.pixels()), requirements=["C", "A"])
        return Block(rows, part.top * part.values.shape[1], present)


class HeldPixels:
    """The same pixels, held in memory: ``Blocks``.

    Parameters
    ----------
    pixels : ScenePixels
    n_positions : pixels of the scene, missing ones too
    """

    def __init__(self, pixels: ScenePixels, n_positions: int) -> None:
        self.n_features = pixels.n_features
        self.dtype = pixels.dtype
        rows = np.empty((n_positions, self.n_features), self.dtype)
        present = np.empty(n_positions, bool)
        n_rows = n_seen = 0

        def hold(block: Block) -> None:
            nonlocal n_rows, n_seen
            rows[n_rows : n_rows + len(block.rows)] = block.rows
            present[n_seen : n_seen + block.n_positions] = True if block.present is None else block.present
            n_rows += len(block.rows)
            n_seen += block.n_positions

        for _ in pixels.map(hold):
            pass
        self.rows: Rows = rows[:n_rows]
        self._present: NDArray[np.bool_] | None = None if n_rows == n_positions else present

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        """See ``Blocks``."""
        n_rows = 0
        n_positions = len(self.rows) if self._present is None else len(self._present)
        for first in range(0, n_positions, PIXELS_AT_A_TIME):
            last = min(first + PIXELS_AT_A_TIME, n_positions)
            present = None if self._present is None else self._present[first:last]
            n = last - first if present is None else int(np.count_nonzero(present))
            yield task(Block(self.rows[n_rows : n_rows + n], first, present))
            n_rows += n


class RowPixels:
    """Pixels that were drawn, all in one block: ``Blocks``."""

    in_turn = True

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.n_features = rows.shape[1]
        self.dtype = rows.dtype

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        """See ``Blocks``."""
        yield task(Block(self._rows, 0))
