"""The map pipeline: one pass over a scene that labels pixels, smooths the labels, writes and counts them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.io.geotiff_writer import TILE
from kmosaic.scenes.map.classifier import MISSING_LABEL, Classifier, TwoNearest
from kmosaic.scenes.map.smoothing import majority_by_strips, sieve
from kmosaic.scenes.map.strip_task import StripTask
from kmosaic.scenes.passes.memory_plan import START_VARIATION, megabytes, resident_bytes
from kmosaic.scenes.passes.pixels import OnPass, StripReader
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
# Upper bounds on the memory per pixel of labels, filters and outputs while a strip is processed.
_LABEL_PIXEL_BYTES = 24
_DETAIL_PIXEL_BYTES = 64
_MAJORITY_PIXEL_BYTES = 32
# Measured: GDAL's sieve keeps this much for each run of equal pixels along a line.
_SIEVE_RUN_BYTES = 56

StripLabels = tuple[NDArray[Any] | None, NDArray[np.int32]]
"""The values of some lines, or None where nothing needs them any more, and the lines' labels."""

OnLabels = Callable[[NDArray[np.int32]], None]
OnDetail = Callable[[TwoNearest], None]


@dataclass(frozen=True, eq=False)
class MapPipeline:
    """How a scene is labelled, and with which resources.

    ``majority`` is the window of the majority filter and ``sieve`` the fewest pixels of a patch; None leaves
    the step out. ``memory`` caps the bytes of the process (None: no cap), of which ``taken``
    are in use already. ``on_pass`` is called with the lines done and the lines in all. With a ``client``, the
    workers of its Dask cluster compute labels and distances and, where labels are not smoothed, the sums by
    class.
    """

    scene: Scene
    classifier: Classifier
    majority: int | None = None
    sieve: int | None = None
    memory: int | None = None
    taken: int = field(default_factory=resident_bytes)
    on_pass: OnPass | None = None
    client: Client | None = None

    def run(
        self, on_labels: OnLabels, on_detail: OnDetail | None = None, *, statistics: bool = True
    ) -> tuple[ClassSizes, ClassStatistics | None]:
        """Label the scene; return the classes' sizes and, with ``statistics``, their statistics.

        ``on_labels`` is called with the labels of the map from top to bottom, ``on_detail`` with the two
        nearest classes of the same pixels before any smoothing.

        Raises DataError where the scene cannot be read, or the memory is too small.
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

    def _smoothed(self, on_detail: OnDetail | None, sums: ClassSums | None) -> Iterator[StripLabels]:
        """The final labels of each strip, with its values where these are still to be added to ``sums``."""
        reader = StripReader(self.scene, self._n_lines(on_detail is not None), self.on_pass)
        strips: Iterator[StripLabels] = (self._label(strip, on_detail) for strip in reader.strips())
        keeps_values = sums is not None
        if self.client is not None:
            smoothed = self.majority is not None or self.sieve is not None
            if sums is not None and not smoothed and sums.are_small(reader.n_lines, self.scene.grid.width):
                keeps_values = False
            else:
                sums = None
            strips = self._by_workers(self.client, reader, on_detail, sums, keeps_values=keeps_values)
        if self.majority is not None:
            # The filter delays labels by one strip, and the next strip is read into the same memory: copy.
            copies = ((np.array(values) if keeps_values else None, labels) for values, labels in strips)
            strips = majority_by_strips(copies, self.majority)
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
    ) -> Iterator[StripLabels]:
        """Labels computed by a cluster's workers, which also compute ``sums``; values are read here."""
        from kmosaic.scenes.passes.dask_strips import strips_by_workers

        # One thread each: strips run in parallel.
        classifier = replace(self.classifier, n_threads=1)
        task = StripTask(classifier, on_detail is not None, copy.deepcopy(sums))
        results = strips_by_workers(client, self.scene, task, reader.n_lines)
        read = reader.strips() if keeps_values else repeat(None)
        n_done = 0
        for strip, sent in zip(read, results, strict=False):
            result = sent.with_labels_as(np.dtype(np.int32))
            if on_detail is not None and result.detail is not None:
                on_detail(result.detail)
            if sums is not None:
                for part in result.sums:
                    sums.merge(part)
            yield None if strip is None else strip.values, result.labels
            n_done += len(result.labels)
            if self.on_pass is not None and not keeps_values:
                self.on_pass(n_done, self.scene.grid.height)

    def _label(self, strip: Strip, on_detail: OnDetail | None) -> StripLabels:
        if on_detail is None:
            return strip.values, self.classifier.label(strip)
        detail = self.classifier.two_nearest(strip)
        on_detail(detail)
        return strip.values, detail.nearest

    def _sieved(
        self, strips: Iterator[StripLabels], reader: StripReader, *, keeps_values: bool
    ) -> Iterator[StripLabels]:
        """Sieve the whole map in memory: patches may reach from top to bottom. Values are read again."""
        assert self.sieve is not None
        coded = self._whole_map(strips)
        sieve(coded, self.sieve)

        def labels_at(top: int, n_lines: int) -> NDArray[np.int32]:
            return coded[top : top + n_lines].astype(np.int32) + MISSING_LABEL

        if keeps_values:
            return ((strip.values, labels_at(strip.top, len(strip.values))) for strip in reader.strips())
        tops = range(0, len(coded), reader.n_lines)
        return ((None, labels_at(top, reader.n_lines)) for top in tops)

    def _whole_map(self, strips: Iterator[StripLabels]) -> NDArray[Any]:
        """All labels, coded from 1 on with 0 for missing, within the cap on memory."""
        grid, dtype = self.scene.grid, np.dtype(np.uint8 if len(self.classifier.centers) < 256 else np.uint16)
        # The map, its sieved copy and its mask.
        min_bytes = grid.n_pixels * (2 * dtype.itemsize + 1)
        self._check_sieve(min_bytes)
        coded = np.empty((grid.height, grid.width), dtype)
        top = n_runs = 0
        for _, labels in strips:
            lines = coded[top : top + len(labels)]
            lines[...] = labels - MISSING_LABEL
            n_runs += len(lines) + int(np.count_nonzero(lines[:, 1:] != lines[:, :-1]))
            top += len(labels)
        self._check_sieve(min_bytes + n_runs * _SIEVE_RUN_BYTES)
        return coded

    def _check_sieve(self, n_bytes: int) -> None:
        if self.memory is not None and self.taken + n_bytes > self.memory:
            raise DataError(
                f"a memory of {megabytes(self.memory)} is too small to sieve {self.scene.name}, for which "
                f"the whole map is held; {megabytes(self.taken + n_bytes + START_VARIATION)} would do, or "
                "leave the sieve out"
            )

    def _n_lines(self, detailed: bool) -> int:
        """Lines per strip: whole blocks and whole groups of lines, where memory allows."""
        grid = self.scene.grid
        bytes_per_line, fixed = self._bytes(detailed)
        max_lines = max(GROUP_LINES, _STRIP_PIXELS // grid.width)
        fixed += self.scene.overhead_bytes(max_lines)
        if self.memory is not None:
            fitting = (self.memory - self.taken - fixed) // bytes_per_line
            if fitting < min(GROUP_LINES, grid.height):
                needed = self.taken + fixed + bytes_per_line * min(GROUP_LINES, grid.height)
                raise DataError(
                    f"a memory of {megabytes(self.memory)} is too small to map {self.scene.name}; "
                    f"{megabytes(needed + START_VARIATION)} is the least that works"
                )
            max_lines = min(max_lines, fitting)
        unit = math.lcm(self.scene.block_height, GROUP_LINES)
        return max_lines // unit * unit or max_lines // GROUP_LINES * GROUP_LINES or max_lines

    def _bytes(self, detailed: bool) -> tuple[int, int]:
        """Bytes per line of a strip, and bytes that do not depend on its lines."""
        n_bands, width = len(self.scene.bands), self.scene.grid.width
        scaling, dtype = self.classifier.scaling, self.scene.dtype
        stored, row = dtype.itemsize * n_bands, scaling.dtype(dtype).itemsize * n_bands
        pixel = 3 * stored + row + _LABEL_PIXEL_BYTES + (16 * n_bands if scaling.method != "none" else 0)
        pixel += (_DETAIL_PIXEL_BYTES if detailed else 0) + (
            _MAJORITY_PIXEL_BYTES + stored if self.majority else 0
        )
        sums = GROUP_LINES * width * (16 * n_bands + 16)
        tiles = TILE * width * (11 if detailed else 2)
        return width * pixel, sums + tiles + _SPARE
