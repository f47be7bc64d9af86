"""Scenes: bands over one grid, read strip by strip, in which pixels may be missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """Where a scene's pixels lie.

    ``transform`` is the affine map (a, b, c, d, e, f) from (column, line) to (x, y): x = a column + b line
    + c, y = d column + e line + f, in the CRS's units. ``crs`` is WKT, or "" where a scene has none.
    """

    width: int
    height: int
    transform: tuple[float, float, float, float, float, float]
    crs: str

    @property
    def n_pixels(self) -> int:
        """Pixels, missing ones too."""
        return self.width * self.height


@dataclass(frozen=True)
class Band:
    """One band as it is stored: its description ("" where it has none), dtype and nodata value.

    ``from_file``: the description comes from the name of its file.
    """

    description: str
    dtype: str
    nodata: float | None
    from_file: bool = False


@dataclass(frozen=True)
class Strip:
    """Whole lines of a scene.

    ``values`` is (n_lines, width, n_bands), C-contiguous, of the scene's dtype; what it holds where a pixel
    is missing means nothing. ``valid`` is (n_lines, width) bool, or None where no pixel is missing.
    """

    top: int
    values: NDArray[Any]
    valid: NDArray[np.bool_] | None

    def lines(self, lines: slice) -> Strip:
        return Strip(
            self.top + lines.start, self.values[lines], None if self.valid is None else self.valid[lines]
        )

    def pixels(self) -> NDArray[Any]:
        """The valid pixels, line by line: (n_pixels, n_bands); a view where none is missing."""
        flat = self.values.reshape(-1, self.values.shape[-1])
        return flat if self.valid is None else flat[self.valid.ravel()]


class Scene(Protocol):
    """A scene to be read, again and again, in whole lines.

    ``read`` may be called from any thread, by one at a time. Where ``out`` is given, (n_lines, width,
    n_bands) of ``dtype``, it becomes the strip's values.
    """

    @property
    def name(self) -> str:
        """What to call it in messages."""

    @property
    def grid(self) -> Grid:
        """Where its pixels lie."""

    @property
    def bands(self) -> tuple[Band, ...]:
        """Its bands, in the order of a pixel's values."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The least of uint8, uint16, float32 and float64 that holds every value of every band."""

    @property
    def block_height(self) -> int:
        """Lines that are stored together: strips of a multiple of it are read without reading twice."""

    def overhead_bytes(self, n_lines: int) -> int:
        """Memory of reading ``n_lines`` lines, without the strip: masks, the library's cache and buffers."""

    def read(self, top: int, n_lines: int, out: NDArray[Any] | None = None) -> Strip:
        """Lines ``top`` to ``top + n_lines``.

        Raises DataError where they cannot be read (a truncated file), or hold infinity.
        """
