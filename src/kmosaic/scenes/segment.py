"""The whole job: a scene's classes found, or taken from a model, and its map drawn."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.files import check_output
from kmosaic.scenes.arrays import as_scene
from kmosaic.scenes.class_map import ClassMap, Coding, class_map_output, sidecar_path, size_columns
from kmosaic.scenes.fitting import FitOptions, SceneFit, fit_scene
from kmosaic.scenes.labelling import Classifier, Labels
from kmosaic.scenes.mapping import Mapping
from kmosaic.scenes.palette import distinct_colours, ground_colours
from kmosaic.scenes.raster_output import Layout, raster_output
from kmosaic.scenes.reading import ReadOptions, chosen_bands
from kmosaic.scenes.scaling import fit_scaling
from kmosaic.scenes.scene import Band, Scene
from kmosaic.scenes.scene_model import SceneModel, load_scene_model, save_scene_model
from kmosaic.scenes.smoothing import check_window
from kmosaic.scenes.statistics import ClassSizes, ClassStatistics
from kmosaic.scenes.statistics_file import check_statistics_name, write_statistics

PALETTES = ("auto", "means", "distinct")
FilePath = str | os.PathLike[str]
Progress = Callable[[int, int | None, str], None]
"""Called with what is done, of how much, and what it is."""

_SCALING_LINES = 256


@dataclass(frozen=True)
class SegmentOptions:
    """What ``segment`` is asked for, besides the scene, the number of classes and the map's name.

    Parameters
    ----------
    read : ReadOptions
        Which bands to read, and what counts as missing.
    scaling : "none", "standard", "min-max" or "percentile"
        How bands are brought to one scale before they are compared.
    seed, max_iter, sample, memory, n_threads
        As in ``FitOptions``. ``memory`` caps the map's drawing, too.
    model : path, SceneModel or None
        Where ``n_clusters`` is given, the path to write the classes to; else the classes to use.
    names : sequence of str, or None
        A name for each class, "" for none. None: the model's.
    majority : odd int from 3 to 15, or None
        Each pixel takes the class most common in the window of so many pixels a side around it.
    sieve : int or None
        Patches of fewer pixels go to the largest patch beside them.
    rgb : tuple of three, or None
        The bands to take as red, green and blue for the classes' colours, by number among those read, from 1, or
        by description.
    palette : "auto", "means" or "distinct"
        Whether a class's colour is its mean in the RGB bands, or tells it apart for every eye. "auto": the mean
        where there are RGB bands, by ``rgb`` or by their descriptions; for a model's classes, the model's.
    nodata : 0 or 255
        What stands for missing pixels in the map: 0, with classes from 1, or 255, with classes from 0.
    cog : bool
        Write cloud-optimised GeoTIFFs.
    second_best, distances : path or None
        Write a map of second-best classes, and a raster of distances to the best and the second-best class's
        centre in scaled units; both of pixels as classified, before any smoothing.
    statistics : bool or path
        Whether to work out the classes' statistics, and the CSV or JSON file to write them to.
    overwrite : bool
        Whether outputs that exist are overwritten.
    command : str or None
        What made the model, to be kept in it.
    progress : called with what is done, of how much, and what it is
    """

    read: ReadOptions = field(default_factory=ReadOptions)
    scaling: str = "none"
    seed: int = 0
    max_iter: int = 300
    sample: int | None = None
    memory: int | None = None
    n_threads: int | None = None
    model: FilePath | SceneModel | None = None
    names: Sequence[str] | None = None
    majority: int | None = None
    sieve: int | None = None
    rgb: tuple[int | str, ...] | None = None
    palette: str = "auto"
    nodata: int = 0
    cog: bool = False
    second_best: FilePath | None = None
    distances: FilePath | None = None
    statistics: bool | FilePath = True
    overwrite: bool = False
    command: str | None = None
    progress: Progress | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.majority is not None:
            check_window(self.majority)
        if self.sieve is not None and self.sieve < 2:
            raise DataError(f"sieve={self.sieve} must be a number of pixels of at least 2")
        if self.palette not in PALETTES:
            raise DataError(f"palette={self.palette!r} must be one of {', '.join(PALETTES)}")
        if self.rgb is not None and len(self.rgb) != 3:
            raise DataError(f"rgb={self.rgb} must be three bands: red, green and blue")

    @property
    def statistics_path(self) -> FilePath | None:
        """The file to write statistics to, if any."""
        return None if isinstance(self.statistics, bool) else self.statistics


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A scene in classes.

    ``labels`` is (height, width) int32, -1 where a pixel is missing, where no map was written; else None, and
    ``path`` is the map's. ``names`` has a name for each class. ``fit`` tells of the fit, None where a model's
    classes were used; ``statistics`` is None unless they were asked for. ``sizes`` and ``statistics`` are those of
    the map, after any smoothing. ``fit_seconds`` and ``map_seconds`` are what finding the classes and drawing the
    map took.
    """

    scene: Scene
    model: SceneModel
    coding: Coding
    names: tuple[str, ...]
    labels: NDArray[np.int32] | None
    path: Path | None
    sizes: ClassSizes
    statistics: ClassStatistics | None
    fit: SceneFit | None
    fit_seconds: float
    map_seconds: float

    @property
    def inertia(self) -> float | None:
        """J: of the fit, or of the map where a model's classes were used and statistics asked for."""
        if self.fit is not None:
            return self.fit.inertia
        squares = self.mean_squared_distances
        return None if squares is None else float(np.nansum(squares * self.sizes.pixels))

    @property
    def mean_squared_distances(self) -> NDArray[np.float64] | None:
        """Of each class's pixels in the map to its centre, in squared scaled units; NaN where it has none."""
        if self.statistics is None:
            return None
        units = 1 / np.array(self.model.scaling.factor)
        return self.statistics.mean_squared_distances(self.model.band_centers, units)


def segment(
    source: Any, n_clusters: int | None = None, output: FilePath | None = None, **options: Any
) -> Segmentation:
    """Find the classes of a scene and draw the map of them, or draw the map of a model's classes.

    Parameters
    ----------
    source : path, paths, rasterio dataset, array or xarray.DataArray
        One raster of several bands, or several of one grid; see ``as_scene``.
    n_clusters : int or None
        How many classes to find; None: those of ``model`` are used.
    output : path or None
        The GeoTIFF to write; None: the labels are returned.
    **options
        Those of ``SegmentOptions``.

    Raises
    ------
    DataError
        Where the scene cannot be read, or does not go with what was asked for.
    OutputError
        Where a file exists and is not to be overwritten, or cannot be written.

    Examples
    --------
    >>> pixels = np.array([[[1, 2], [200, 210]], [[2, 1], [201, 208]]], np.uint8)
    >>> segment(pixels, 2).labels.tolist()
    [[0, 1], [0, 1]]
    """
    return _Job(source, n_clusters, output, SegmentOptions(**options)).run()


@dataclass(frozen=True)
class _Job:
    source: Any
    n_clusters: int | None
    output: FilePath | None
    asked: SegmentOptions

    def run(self) -> Segmentation:
        self._check()
        scene = as_scene(self.source, self.asked.read)
        try:
            return self._run(scene)
        finally:
            # A data set that was given open stays so.
            with contextlib.suppress(AttributeError):
                scene.close()  # type: ignore[attr-defined]
