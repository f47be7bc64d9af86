"""Small pictures of image files, decoded when they are looked at: never all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmosaic.images.collection import SkippedFile
from kmosaic.images.decode import PixelForm, pillow_warnings
from kmosaic.images.listing import FoundFile
from kmosaic.images.memory_check import check_memory
from kmosaic.images.reading import read_files

THUMBNAIL_SIDE = 64
"""Pixels of a thumbnail's longer side: as many as a tile of a report has."""


class FilePixels:
    """Pixels of image files, (n_images, n_values) uint8: those asked for by index are decoded then.

    It has what a report asks of an array: ``shape``, ``dtype``, ``len``, rows by slice or index, and
    ``take``, which decodes nothing. A file that turns out to be unreadable is grey, and in ``unreadable``.
    """

    dtype = np.dtype(np.uint8)
    ndim = 2

    def __init__(self, files: Sequence[FoundFile], form: PixelForm, unreadable: dict[str, str]) -> None:
        self._files = files
        self.form = form
        self.shape = (len(files), form.n_features)
        self._unreadable = unreadable

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, rows: slice | ArrayLike) -> NDArray[Any]:
        """Decode the images at ``rows``, (n_rows, n_values)."""
        numbers = np.arange(len(self))[rows if isinstance(rows, slice) else np.asarray(rows)]
        pixels = np.empty((len(numbers), self.shape[1]), np.uint8)

        files = [self._files[number] for number in numbers]
        with pillow_warnings():
            for place, (file, read) in enumerate(
                zip(files, read_files("reduced", files, self.form), strict=True)
            ):
                pixels[place] = 128 if read.values is None else read.values
                if read.reason:
                    self._unreadable[file.id] = read.reason
        return pixels

    @property
    def unreadable(self) -> tuple[SkippedFile, ...]:
        """The files that could not be decoded, of those looked at."""
        return tuple(SkippedFile(file, reason) for file, reason in sorted(self._unreadable.items()))

    def in_form(self, form: PixelForm) -> FilePixels:
        """The same files in another form; those that cannot be decoded are noted in both."""
        return FilePixels(self._files, form, self._unreadable)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All of them, decoded."""
        if copy is False:
            raise ValueError("pictures in files are no array in memory without decoding them")
        check_memory(self.shape[0] * self.shape[1], f"{len(self):,} thumbnails", "take some of them")
        return self[:].astype(dtype or self.dtype, copy=False)

    def take(self, rows: ArrayLike, axis: int = 0) -> FilePixels:
        """The pixels of the files at ``rows``, in that order, still not decoded."""
        if axis != 0:
            raise ValueError(f"axis={axis}; files are along axis 0")
        return FilePixels([self._files[row] for row in np.asarray(rows)], self.form, self._unreadable)


def thumbnail_size(
    sizes: Sequence[tuple[int, int]], side: int = THUMBNAIL_SIDE, shape: tuple[int, int] | None = None
) -> tuple[int, int]:
    """(height, width) of thumbnails of images of these sizes, none longer than ``side`` or the largest.

    It is in proportion to ``shape``; None: their own shape, or a square where they differ.

    >>> thumbnail_size([(480, 640), (960, 1280)]), thumbnail_size([(9, 4), (4, 9)])
    ((48, 64), (64, 64))
    >>> thumbnail_size([(480, 640), (90, 70)], 128, (20, 40)), thumbnail_size([(32, 32)], 128, (224, 224))
    ((64, 128), (32, 32))
    """
    if shape is not None:
        return _within(shape, min(side, max(map(max, sizes))) / max(shape))
    shapes = {_within(size, min(1.0, side / max(size))) for size in sizes}
    return shapes.pop() if len(shapes) == 1 else (side, side)


def _within(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
