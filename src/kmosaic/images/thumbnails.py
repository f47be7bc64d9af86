"""Small pictures of image files, decoded when they are looked at: never all of them at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmosaic.images.collection import Progress, SkippedFile
from kmosaic.images.decode import PixelForm, UnusableImageError, decode_reduced, pillow_warnings
from kmosaic.images.listing import FoundFile
from kmosaic.images.memory_check import check_memory

THUMBNAIL_SIDE = 64
"""Pixels of a thumbnail's longer side: as many as a tile of a report has."""

# Decoders release the GIL; more than four at a time only multiplies the memory of pictures under way.
DECODERS = 4
T = TypeVar("T")


class FilePixels:
    """Pixels of image files, (n_images, n_values) uint8: those asked for by index are decoded then.

    It has what a report asks of an array: ``shape``, ``dtype``, ``len``, rows by slice or index, and
    ``take``, which decodes nothing. A file that turns out to be unreadable is grey, and in ``unreadable``.
    """

    dtype = np.dtype(np.uint8)
    ndim = 2

    def __init__(self, files: Sequence[FoundFile], form: PixelForm, unreadable: dict[str, str]) -> None:
        self._files = files
        self._form = form
        self.shape = (len(files), form.n_features)
        self._unreadable = unreadable

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, rows: slice | ArrayLike) -> NDArray[Any]:
        """Decode the images at ``rows``, (n_rows, n_values)."""
        numbers = np.arange(len(self))[rows if isinstance(rows, slice) else np.asarray(rows)]
        pixels = np.empty((len(numbers), self.shape[1]), np.uint8)

        def fill(place: int) -> None:
            file = self._files[numbers[place]]
            try:
                pixels[place] = decode_reduced(file.path, self._form)[1]
            except UnusableImageError as error:
                pixels[place] = 128
                self._unreadable[file.id] = str(error)

        with pillow_warnings():
            in_threads(fill, len(numbers))
        return pixels

    @property
    def unreadable(self) -> tuple[SkippedFile, ...]:
        """The files that could not be decoded, of those looked at."""
        return tuple(SkippedFile(file, reason) for file, reason in sorted(self._unreadable.items()))

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
        return FilePixels([self._files[row] for row in np.asarray(rows)], self._form, self._unreadable)


def in_threads(work: Callable[[int], T], n_images: int, progress: Progress | None = None) -> list[T]:
    """Return what ``work`` makes of each image's number, over threads that decode."""
    results = []
    pool = ThreadPoolExecutor(min(DECODERS, os.cpu_count() or 1))
    try:
        for done, result in enumerate(pool.map(work, range(n_images)), start=1):
            results.append(result)
            if progress is not None:
                progress(done, n_images, "reading images")
    finally:  # Ctrl-C must not wait for the images still in the queue
        pool.shutdown(wait=True, cancel_futures=True)
    return results


def thumbnail_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """(height, width) of thumbnails of images of these sizes: their shape, or a square where they differ.

    >>> thumbnail_size([(480, 640), (960, 1280)]), thumbnail_size([(9, 4), (4, 9)])
    ((48, 64), (64, 64))
    """
    shapes = {_within(size) for size in sizes}
    return shapes.pop() if len(shapes) == 1 else (THUMBNAIL_SIDE, THUMBNAIL_SIDE)


def _within(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, THUMBNAIL_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
