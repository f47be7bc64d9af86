"""One pass over a scene: its pixels are put in classes, the labels smoothed, written and counted."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.io.geotiff_writer import TILE
from kmosaic.scenes.map.classifier import MISSING, Classifier, TwoNearest
from kmosaic.scenes.map.smoothing import majority_by_strips, sieve
from kmosaic.scenes.passes.memory_plan import UNSTEADY, megabytes
from kmosaic.scenes.passes.pixels import OnPass, StripReader
from kmosaic.scenes.passes.strip_work import StripWork
from kmosaic.scenes.scene import Scene, Strip
from kmosaic.scenes.stats.class_statistics import (
    GROUP_LINES,
    ClassSizes,
    ClassStatistics,
    ClassSums,
    SizeCount,
)
from kmosaic.scenes.stats.pixel_areas import pixel_areas

if TYPE_CHECKING:
    from distributed import Client

# More pixels at a time make nothing faster.
_STRIP_PIXELS = 1 << 20
_SPARE = 16 << 20
# Bytes a pixel that labels, filters and outputs take at most while a strip is worked on.
_LABEL_BYTES = 24
_DETAIL_BYTES = 64
_MAJORITY_BYTES = 32
# What GDAL's sieve takes for each run of equal pixels along a line, measured.
_BYTES_OF_RUN = 56

Labelled = tuple[NDArray[Any] | None, NDArray[np.int32]]
"""The values of some lines, where they are kept, and their labels."""

OnLabels = Callable[[NDArray[np.int32]], None]
OnDetail = Callable[[TwoNearest], None]


def resident() -> int:
    """Return what the process takes now, in bytes."""
    return int(psutil.Process().memory_info().rss)


@dataclass(frozen=True, eq=False)
class Mapping:
    """How a scene is put in classes.

    ``majority`` is the window of the filter, ``sieve`` the least pixels of a patch, each None for neither;
    ``memory`` the most bytes the process is to use, None for no cap, of which ``taken`` are in use
    already; ``on_pass`` is called with the lines done and all there are. With a ``client``, the workers of
    its Dask cluster find the labels and what is known of the same pixels, and, where labels are not smoothed,
    add up the statistics.
    """

    scene: Scene
    classifier: Classifier
    majority: int | None = None
    sieve: int | None = None
    memory: int | None = None
    taken: int = field(default_factory=resident)
    on_pass: OnPass | None = None
    client: Client | None = None

    def run(
        self, on_labels: OnLabels, on_detail: OnDetail | None = None, *, statistics: bool = True
    ) -> tuple[ClassSizes, ClassStatistics | None]:
        """Go through the scene; return the classes' sizes, and where asked for their ``statistics``.

        ``on_labels`` gets the labels of the map line after line, ``on_detail`` what is known of the same
        pixels before any smoothing.

        Raises
        ------
        DataError
            Where the scene cannot be read, or the memory is too small.
        """
        n_classes = len(self.classifier.centers)
        count = SizeCount(n_classes, pixel_areas(self.scene.grid))
        sums = None
        if statistics:
            sums = ClassSums(self.classifier.scaling.unscale(self.classifier.centers), self.scene.dtype)
        top = 0
        for values, labels in self._smoothed(on_detail, sums):
            count.add(top, labels)
            on_labels(labels)
            if sums is not None and values is not None:
                sums.add(values, labels)
            top += len(labels)
        return count.sizes(), None if sums is None else sums.statistics()

    def _smoothed(self, on_detail: OnDetail | None, sums: ClassSums | None) -> Iterator[Labelled]:
        """The values of each strip, where they are still to be added to ``sums``, and its labels as they are
        to be in the map."""
        reader = StripReader(self.scene, self._n_lines(on_detail is not None), self.on_pass)
        strips: Iterator[Labelled] = (self._labelled(strip, on_detail) for strip in reader.strips())
        keeps_values = sums is not None
        if self.client is not None:
            smoothed = self.majority is not None or self.sieve is not None
            if sums is not None and not smoothed and sums.are_small(reader.n_lines, self.scene.grid.width):
                keeps_values = False
            else:
                sums = None
            strips = self._by_workers(self.client, reader, on_detail, sums, keeps_values=keeps_values)
        if self.majority is not None:
            # A strip's labels are known once the next strip has been read, into the same memory.
            held = ((np.array(values) if keeps_values else None, labels) for values, labels in strips)
            strips = majority_by_strips(held, self.majority)
        if self.sieve is None:
            return strips
        return self._sieved(strips, reader, keeps_values=keeps_values)

    def _by_workers(
        self,
        client: Client,
        reader: StripReader,
        on_detail: OnDetail | None,
        sums: ClassSums | None,
        *,
        keeps_values: bool,
    ) -> Iterator[Labelled]:
        """The same by the workers of a cluster, which add up ``sums``; values that are kept are read here."""
        from kmosaic.scenes.passes.dask_strips import strips_by_workers

        work = StripWork(self.classifier, on_detail is not None, copy.deepcopy(sums))
        found = strips_by_workers(client, self.scene, work, reader.n_lines)
        read = reader.strips() if keeps_values else repeat(None)
        n_done = 0
        for strip, done in zip(read, found, strict=False):
            if on_detail is not None and done.detail is not None:
                on_detail(done.detail)
            if sums is not None:
                for part in done.sums:
                    sums.merge(part)
            yield None if strip is None else strip.values, done.labels
            n_done += len(done.labels)
            if self.on_pass is not None and not keeps_values:
                self.on_pass(n_done, self.scene.grid.height)

    def _labelled(self, strip: Strip, on_detail: OnDetail | None) -> Labelled:
        if on_detail is None:
            return strip.values, self.classifier.label(strip)
        labels = self.classifier.label_twice(strip)
        on_detail(labels)
        return strip.values, labels.nearest

    def _sieved(
        self, strips: Iterator[Labelled], reader: StripReader, *, keeps_values: bool
    ) -> Iterator[Labelled]:
        """Patches may reach from top to bottom: the whole map is held, and the scene read again for its
        values."""
        assert self.sieve is not None
        coded = self._whole_map(strips)
        sieve(coded, self.sieve)

        def labels_of(top: int, n_lines: int) -> NDArray[np.int32]:
            return coded[top : top + n_lines].astype(np.int32) + MISSING

        if keeps_values:
            read = reader.strips()
            return ((strip.values, labels_of(strip.top, len(strip.values))) for strip in read)
        tops = range(0, len(coded), reader.n_lines)
        return ((None, labels_of(top, reader.n_lines)) for top in tops)

    def _whole_map(self, strips: Iterator[Labelled]) -> NDArray[Any]:
        """Labels from 1 on, 0 where missing, within the cap on memory."""
        grid, dtype = self.scene.grid, np.dtype(np.uint8 if len(self.classifier.centers) < 256 else np.uint16)
        # The map, what it becomes, and where it is missing.
        least = grid.n_pixels * (2 * dtype.itemsize + 1)
        self._check_sieve(least)
        coded = np.empty((grid.height, grid.width), dtype)
        top = n_runs = 0
        for _, labels in strips:
            lines = coded[top : top + len(labels)]
            lines[...] = labels - MISSING
            n_runs += len(lines) + int(np.count_nonzero(lines[:, 1:] != lines[:, :-1]))
            top += len(labels)
        self._check_sieve(least + n_runs * _BYTES_OF_RUN)
        return coded

    def _check_sieve(self, n_bytes: int) -> None:
        if self.memory is not None and self.taken + n_bytes > self.memory:
            raise DataError(
                f"a memory of {megabytes(self.memory)} is too small to sieve {self.scene.name}, for which "
                f"the whole map is held; {megabytes(self.taken + n_bytes + UNSTEADY)} would do, or leave the "
                "sieve out"
            )

    def _n_lines(self, detailed: bool) -> int:
        """Lines of a strip: whole blocks and whole groups of lines, where memory allows."""
        grid = self.scene.grid
        a_line, fixed = self._bytes(detailed)
        most = max(GROUP_LINES, _STRIP_PIXELS // grid.width)
        fixed += self.scene.overhead_bytes(most)
        if self.memory is not None:
            room = (self.memory - self.taken - fixed) // a_line
            if room < min(GROUP_LINES, grid.height):
                needed = self.taken + fixed + a_line * min(GROUP_LINES, grid.height)
                raise DataError(
                    f"a memory of {megabytes(self.memory)} is too small to map {self.scene.name}; "
                    f"{megabytes(needed + UNSTEADY)} is the least that works"
                )
            most = min(most, room)
        unit = math.lcm(self.scene.block_height, GROUP_LINES)
        return most // unit * unit if most >= unit else most // GROUP_LINES * GROUP_LINES or most

    def _bytes(self, detailed: bool) -> tuple[int, int]:
        """What a line of a strip takes, and what is taken however many lines it has."""
        n_bands, width = len(self.scene.bands), self.scene.grid.width
        scaling, dtype = self.classifier.scaling, self.scene.dtype
        stored, row = dtype.itemsize * n_bands, scaling.dtype(dtype).itemsize * n_bands
        pixel = 3 * stored + row + _LABEL_BYTES + (16 * n_bands if scaling.method != "none" else 0)
        pixel += (_DETAIL_BYTES if detailed else 0) + (_MAJORITY_BYTES + stored if self.majority else 0)
        sums = GROUP_LINES * width * (16 * n_bands + 16)
        tiles = TILE * width * (11 if detailed else 2)
        return width * pixel, sums + tiles + _SPARE
