"""Outputs of the map pipeline: files, or an array."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kmosaic.scenes.io.geotiff_writer import Layout, RasterOutput, raster_output
from kmosaic.scenes.map.class_map import ClassMap, ClassMapOutput, class_map_output, size_columns
from kmosaic.scenes.map.classifier import TwoNearest
from kmosaic.scenes.stats.class_statistics import ClassSizes


class MapOutputs:
    """The outputs of one map pipeline; ``stack`` completes or removes its files.

    ``held``, (height, width) int32, has the labels of the map where they go to no file.
    """

    def __init__(self, stack: contextlib.ExitStack, class_map: ClassMap, *, overwrite: bool) -> None:
        self._stack = stack
        self._class_map = class_map
        self._overwrite = overwrite
        self._maps: list[ClassMapOutput] = []
        self.held: NDArray[np.int32] | None = None
        self._n_held = 0

    def labels_to(self, path: str | os.PathLike[str] | None) -> Callable[[NDArray[np.int32]], None]:
        """Return the callback for the labels of the map."""
        if path is not None:
            return self._map(path, "class").write
        self.held = np.empty((self._class_map.grid.height, self._class_map.grid.width), np.int32)
        return self._hold

    def detail_to(
        self, second_best: str | os.PathLike[str] | None, distances: str | os.PathLike[str] | None
    ) -> Callable[[TwoNearest], None] | None:
        """Return the callback for second-best classes and distances; None where there is no such output."""
        if second_best is None and distances is None:
            return None
        second = None if second_best is None else self._map(second_best, "second-best class")
        raster = None if distances is None else self._distances(distances)

        def write(labels: TwoNearest) -> None:
            if second is not None:
                second.write(labels.second)
            if raster is not None:
                raster.write(labels.distance, labels.second_distance)

        return write

    def set_sizes(self, sizes: ClassSizes) -> None:
        """Set the classes' sizes for the map's attribute table."""
        if self.held is None:
            self._maps[0].columns = size_columns(sizes)

    def _map(self, path: str | os.PathLike[str], description: str) -> ClassMapOutput:
        output = class_map_output(path, self._class_map, description, overwrite=self._overwrite)
        self._maps.append(self._stack.enter_context(output))
        return self._maps[-1]

    def _distances(self, path: str | os.PathLike[str]) -> RasterOutput:
        descriptions = ("distance to the class", "distance to the second-best class")
        layout = Layout("float32", math.nan, descriptions, "average", cog=self._class_map.cog)
        output = raster_output(path, self._class_map.grid, layout, overwrite=self._overwrite)
        return self._stack.enter_context(output)

    def _hold(self, labels: NDArray[np.int32]) -> None:
        assert self.held is not None
        self.held[self._n_held : self._n_held + len(labels)] = labels
        self._n_held += len(labels)
