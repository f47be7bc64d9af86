"""A scene's pixels as blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines import Block, Rows
from kmosaic.rows.source import read_ahead
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Scene, Strip

T = TypeVar("T")
OnPass = Callable[[int, int], None]
"""Called with the lines read in this pass, and all there are."""

PIXELS_PER_BLOCK = 1 << 20
"""Few enough that a block's labels stay in cache until they are summed."""


class StripReader:
    """Reads strips of ``n_lines``, from top to bottom, the next while the caller is busy with the last."""

    def __init__(self, scene: Scene, n_lines: int, on_pass: OnPass | None = None) -> None:
        self.scene = scene
        self.n_lines = min(n_lines, scene.grid.height)
        self._on_pass = on_pass
        shape = (2, self.n_lines, scene.grid.width, len(scene.bands))
        self._buffers = np.empty(shape, scene.dtype)  # one is read into while the other is used

    def strips(self) -> Iterator[Strip]:
        """The strips, from top to bottom; the memory of each is used again for the one after the next."""
        height = self.scene.grid.height
        for strip in read_ahead(self._read, range(0, height, self.n_lines)):
            yield strip
            if self._on_pass is not None:
                self._on_pass(min(strip.top + self.n_lines, height), height)

    def _read(self, top: int) -> Strip:
        n_lines = min(self.n_lines, self.scene.grid.height - top)
        return self.scene.read(top, n_lines, self._buffers[top // self.n_lines % 2, :n_lines])


class ScenePixels:
    """A scene's valid pixels, read again in every pass: ``Blocks``.

    A pixel's position is line * width + column. Rows are the pixels' scaled values.
    """

    def __init__(self, reader: StripReader, scaling: Scaling) -> None:
        self._reader = reader
        self._scaling = scaling
        self.n_features = len(reader.scene.bands)
        self.dtype = scaling.dtype(reader.scene.dtype)

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        for strip in self._reader.strips():
            n_lines = max(1, PIXELS_PER_BLOCK // strip.values.shape[1])
            for line in range(0, len(strip.values), n_lines):
                yield task(self._block(strip, slice(line, line + n_lines)))

    def _block(self, strip: Strip, lines: slice) -> Block:
        part = strip.lines(lines)
        present = None if part.valid is None else part.valid.ravel()
        rows = np.require(self._scaling.rows(part.pixels()), requirements=["C", "A"])
        return Block(rows, part.top * part.values.shape[1], present)


class HeldPixels:
    """A scene's valid pixels, kept in memory: ``Blocks``. ``n_positions`` counts missing pixels, too."""

    def __init__(self, pixels: ScenePixels, n_positions: int) -> None:
        self.n_features = pixels.n_features
        self.dtype = pixels.dtype
        rows = np.empty((n_positions, self.n_features), self.dtype)
        n_rows = 0
        valid = _PackedMask()

        def hold(block: Block) -> None:
            nonlocal n_rows
            rows[n_rows : n_rows + len(block.rows)] = block.rows
            n_rows += len(block.rows)
            valid.add(np.ones(block.n_positions, bool) if block.present is None else block.present)

        for _ in pixels.map(hold):
            pass
        self.rows: Rows = rows[:n_rows]
        self._n_positions = n_positions
        self._valid = None if n_rows == n_positions else valid

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        n_rows = 0
        for first in range(0, self._n_positions, PIXELS_PER_BLOCK):
            n_positions = min(PIXELS_PER_BLOCK, self._n_positions - first)
            present = None if self._valid is None else self._valid.unpacked(first, n_positions)
            n = n_positions if present is None else int(np.count_nonzero(present))
            yield task(Block(self.rows[n_rows : n_rows + n], first, present))
            n_rows += n


class _PackedMask:
    """A mask of valid pixels, one bit per pixel."""

    def __init__(self) -> None:
        self._packed: list[NDArray[np.uint8]] = []
        self._waiting = np.empty(0, bool)

    def add(self, present: NDArray[np.bool_]) -> None:
        """Append the mask of the next pixels."""
        self._waiting = np.concatenate([self._waiting, present])
        while len(self._waiting) >= PIXELS_PER_BLOCK:
            self._packed.append(np.packbits(self._waiting[:PIXELS_PER_BLOCK]))
            self._waiting = self._waiting[PIXELS_PER_BLOCK:]

    def unpacked(self, first: int, n: int) -> NDArray[np.bool_]:
        """Return the mask of a block of ``PIXELS_PER_BLOCK`` pixels, or of the last block."""
        number = first // PIXELS_PER_BLOCK
        if number == len(self._packed):
            return self._waiting
        return np.unpackbits(self._packed[number], count=n).view(bool)


class RowPixels:
    """Sampled pixels, all in one block: ``Blocks``."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.n_features = rows.shape[1]
        self.dtype = rows.dtype

    def map(self, task: Callable[[Block], T]) -> Iterator[T]:
        yield task(Block(self._rows, 0))
