"""Segmentation of a scene: fit its classes or take those of a model, and draw the map of them."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.engines.dask.cluster import open_cluster
from kmosaic.errors import DataError
from kmosaic.files import check_not_read, check_outputs, check_suffix
from kmosaic.scenes.fit.fit_scaling import fit_scaling
from kmosaic.scenes.fit.fitting import FitOptions, SceneFit, fit_scene
from kmosaic.scenes.fit.isodata import IsodataOptions
from kmosaic.scenes.fit.scene_model import SceneModel, load_scene_model, save_scene_model
from kmosaic.scenes.io.array_scene import as_scene
from kmosaic.scenes.io.geotiff_writer import RASTER_SUFFIXES
from kmosaic.scenes.io.read_options import ReadOptions, chosen_bands
from kmosaic.scenes.io.sources import FilePath, FileStates, files_read
from kmosaic.scenes.map.class_map import ClassMap, Coding, sidecar_path
from kmosaic.scenes.map.classifier import Classifier
from kmosaic.scenes.map.outputs import MapOutputs
from kmosaic.scenes.map.palette import distinct_colours, ground_colours
from kmosaic.scenes.map.pipeline import MapPipeline
from kmosaic.scenes.map.smoothing import check_window
from kmosaic.scenes.passes.memory_plan import resident_bytes
from kmosaic.scenes.passes.preflight import Output, check_space
from kmosaic.scenes.preview import Quicklook, QuicklookOptions, take_quicklook
from kmosaic.scenes.progress import Progress, ProgressReporter
from kmosaic.scenes.scaling import METHODS
from kmosaic.scenes.scene import Band, Scene
from kmosaic.scenes.stats.class_statistics import ClassSizes, ClassStatistics
from kmosaic.scenes.stats.export import TABLE_SUFFIXES, StatisticsTable, write_statistics

PALETTES = ("auto", "means", "distinct")

# Bytes read at a time for the scaling; more is not faster.
_SCALING_BYTES = 32 << 20


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
    isodata : IsodataOptions or None
        Whether and when to split and merge classes: ``n_clusters`` is then what to start from.
    dask : str, distributed.Client or None
        Whose workers find the classes, and the map's labels: of the scheduler at this address, of a client,
        or started here for as long: "local", or "local:4" for four. They must read the scene by the same
        paths, ``memory`` and ``n_threads`` do not concern them, and they change no result of integer bands.
    model : path, SceneModel or None
        Where ``n_clusters`` is given, the path to write the classes to; else the classes to use.
    names : sequence of str, or None
        A name for each class, "" for none. None: the model's.
    majority : odd int from 3 to 15, or None
        Each pixel takes the class most common in the window of this number of pixels a side around it.
    sieve : int or None
        Patches of fewer pixels go to the largest patch beside them.
    rgb : tuple of three, or None
        The bands to take as red, green and blue for the classes' colours, by number among those read, from
        1, or by description.
    palette : "auto", "means" or "distinct"
        Whether a class's colour is its mean in the RGB bands, or tells it apart for every eye. "auto": the
        mean where there are RGB bands, by ``rgb`` or by their descriptions; for a model's classes, the
        model's.
    nodata : 0 or 255
        What stands for missing pixels in the map: 0, with classes from 1, or 255, with classes from 0.
    cog : bool
        Write cloud-optimised GeoTIFFs.
    second_best, distances : path or None
        Write a map of second-best classes, and a raster of distances to the best and the second-best class's
        centre in scaled units; both of pixels as classified, before any smoothing.
    statistics : bool or path
        Whether to compute the classes' statistics, and the CSV or JSON file to write them to.
    quicklook : int or None
        Keep about this number of pixels of the scene and the map, evenly spread, for a report.
    overwrite : bool
        Whether outputs that exist are overwritten.
    command : str or None
        What made the model, to be kept in it.
    progress : called with what is done, the total, and the stage
    """

    read: ReadOptions = field(default_factory=ReadOptions)
    scaling: str = "none"
    seed: int = 0
    max_iter: int = 300
    sample: int | None = None
    isodata: IsodataOptions | None = None
    memory: int | None = None
    n_threads: int | None = None
    dask: Any = None
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
    quicklook: int | None = None
    overwrite: bool = False
    command: str | None = None
    progress: Progress | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.majority is not None:
            check_window(self.majority)
        if self.sieve is not None and self.sieve < 2:
            raise DataError(f"sieve={self.sieve} must be a number of pixels of at least 2")
        if self.scaling not in METHODS:
            raise DataError(f"scaling={self.scaling!r} must be one of {', '.join(METHODS)}")
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

    ``labels`` is (height, width) int32, -1 where a pixel is missing, where no map was written; else None,
    and ``path`` is the map's. ``names`` has a name for each class. ``fit`` is the fit, None where a
    model's classes were used; ``statistics`` is None unless they were asked for. ``sizes`` and
    ``statistics`` are those of the map, after any smoothing. ``fit_seconds`` and ``map_seconds`` are what
    finding the classes and drawing the map took. ``quicklook`` has some pixels, where they were asked for.
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
    quicklook: Quicklook | None = None

    @property
    def inertia(self) -> float | None:
        """J: of the fit, or of the map where a model's classes were used and statistics asked for."""
        if self.fit is not None:
            return self.fit.inertia
        squares = self.mean_squared_distances
        return None if squares is None else float(np.nansum(squares * self.sizes.pixels))

    @property
    def table(self) -> StatisticsTable:
        """The statistics of each class.

        Raises
        ------
        DataError
            Where statistics were not asked for.
        """
        if self.statistics is None or self.mean_squared_distances is None:
            raise DataError("the statistics were not asked for; segment with statistics=True")
        bands = tuple(band.description for band in self.scene.bands)
        distances = self.mean_squared_distances
        return StatisticsTable(self.coding.values, self.names, bands, self.sizes, self.statistics, distances)

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
        The GeoTIFF to write, a name that ends in .tif or .tiff; None: the labels are returned.
    **options
        Those of ``SegmentOptions``.

    Raises
    ------
    DataError
        Where the scene cannot be read, changes while it is, or does not go with what was asked for.
    OutputError
        Where a file exists and is not to be overwritten, or cannot be written.

    Examples
    --------
    >>> bands = np.array([[[1, 200, 2], [2, 201, 200]], [[9, 90, 8], [8, 91, 88]]], np.uint8)
    >>> segment(bands, 2).labels.tolist()
    [[0, 1, 0], [0, 1, 1]]
    """
    return _Job(source, n_clusters, output, SegmentOptions(**options)).run()


@dataclass(frozen=True)
class _Job:
    source: Any
    n_clusters: int | None
    output: FilePath | None
    options: SegmentOptions
    client: Any = None
    files: FileStates = field(default_factory=FileStates)

    def run(self) -> Segmentation:
        self._check_options()
        scene = as_scene(self.source, self.options.read)
        with contextlib.ExitStack() as stack:
            if scene is not self.source and isinstance(scene, contextlib.AbstractContextManager):
                stack.enter_context(scene)
            files = files_read(getattr(scene, "files", ()))
            self._check_scene(scene, files)
            dask = self.options.dask
            client = stack.enter_context(open_cluster(dask)) if isinstance(dask, str) else dask
            return replace(self, client=client, files=FileStates(files))._run(scene)

    def _check_options(self) -> None:
        """Refuse options that contradict each other, and outputs that cannot be written."""
        options = self.options
        if self.n_clusters is None and options.model is None:
            raise DataError("give the number of clusters to find, or a model whose classes to use")
        if self.n_clusters is not None:
            if self.n_clusters < 1:
                raise DataError(f"{self.n_clusters} clusters: 1 is the least")
            if isinstance(options.model, SceneModel):
                raise DataError("a number of clusters and a SceneModel were given; choose one of them")
            Coding(self.n_clusters, options.nodata)
            if options.isodata is not None and options.names is not None:
                remedy = "keep the classes in a model, then draw its map with names"
                raise DataError(f"how many classes there will be to name is not known with isodata; {remedy}")
        for path in (self.output, options.second_best, options.distances):
            if path is not None:
                check_suffix(path, RASTER_SUFFIXES)
        if options.statistics_path is not None:
            check_suffix(options.statistics_path, TABLE_SUFFIXES)
        check_outputs(self._outputs(), overwrite=options.overwrite, read=files_read(self._inputs()))

    def _check_scene(self, scene: Scene, files: frozenset[str]) -> None:
        """Refuse outputs among the scene's ``files``, too few pixels, and too many for memory and disk."""
        check_not_read(self._outputs(), files)
        if self.n_clusters is not None and self.n_clusters > scene.grid.n_pixels:
            raise DataError(
                f"{scene.name} has only {scene.grid.n_pixels:,} pixels for {self.n_clusters:,} clusters; "
                "ask for fewer"
            )
        label = 1 if (self.n_clusters or 0) <= 255 else 2
        maps = [path for path in (self.output, self.options.second_best) if path is not None]
        outputs = [Output(path, label) for path in maps]
        if self.options.distances is not None:
            outputs.append(Output(self.options.distances, 8))
        sieved = 0 if self.options.sieve is None else 2 * label + 1
        check_space(scene, (4 if self.output is None else 0) + sieved, outputs)

    def _inputs(self) -> Iterator[FilePath]:
        sources = self.source if isinstance(self.source, list | tuple) else [self.source]
        model = self.options.model if self.n_clusters is None else None
        for source in (*sources, self.options.read.mask, model):
            if isinstance(source, str | os.PathLike):
                yield source

    def _outputs(self) -> Iterator[FilePath]:
        for path in (self.output, self.options.second_best):
            if path is not None:
                yield path
                yield sidecar_path(path)
        for path in (self.options.distances, self.options.statistics_path, self._model_path):
            if path is not None:
                yield path

    @property
    def _model_path(self) -> FilePath | None:
        """The path to write the fitted classes to."""
        model = self.options.model
        return None if self.n_clusters is None or isinstance(model, SceneModel) else model

    def _run(self, scene: Scene) -> Segmentation:
        options, start = self.options, time.perf_counter()
        # Measured before the fit: the allocator may keep what the fit frees, and reuses it.
        taken = resident_bytes()
        if self.n_clusters is None:
            fit, model = None, self._given_model(scene)
        else:
            fit = self._fit(scene, self.n_clusters)
            self.files.check()
            model = self._fitted_model(scene, fit)
        fitted = time.perf_counter()
        coding = Coding(model.n_classes, options.nodata)
        class_map = ClassMap(scene.grid, coding, coding.names(model.class_names), model.colours, options.cog)
        labels, sizes, statistics = self._draw(scene, model, class_map, taken)
        path = None if self.output is None else Path(self.output)
        seconds = fitted - start, time.perf_counter() - fitted
        result = Segmentation(
            scene, model, coding, class_map.names, labels, path, sizes, statistics, fit, *seconds
        )
        self._write_rest(result)
        return result if options.quicklook is None else replace(result, quicklook=self._quicklook(result))

    def _quicklook(self, result: Segmentation) -> Quicklook:
        rgb = self._rgb(result.scene) or false_colour(len(result.scene.bands))
        quicklook_options = QuicklookOptions(self.options.quicklook or 1, rgb, self.options.memory)
        labels = result.path if result.labels is None else result.labels
        assert labels is not None
        quicklook = take_quicklook(result.scene, labels, result.coding, quicklook_options)
        self.files.check()
        return quicklook

    def _given_model(self, scene: Scene) -> SceneModel:
        options = self.options
        given = options.model
        assert given is not None
        model = given if isinstance(given, SceneModel) else load_scene_model(given)
        model.check_scene(scene)
        if options.names is not None:
            model = replace(model, class_names=self._names(model.n_classes))
        if options.rgb is not None or options.palette != "auto":
            model = replace(model, colours=self._colours(scene, model.band_centers, model.sizes))
        return model

    def _fit(self, scene: Scene, n_clusters: int) -> SceneFit:
        options, reporter = self.options, ProgressReporter(self.options.progress)
        self._names(n_clusters)
        reporter.stage = "scaling bands"
        scaling = fit_scaling(
            scene, options.scaling, self._scaling_lines(scene), reporter.on_pass, client=self.client
        )
        reporter.stage = "finding classes"
        fit_options = FitOptions(
            n_clusters,
            options.seed,
            options.max_iter,
            options.n_threads,
            options.memory,
            options.sample,
            options.isodata,
            reporter.on_iteration,
            reporter.on_pass,
        )
        return fit_scene(scene, scaling, fit_options, self.client)

    def _scaling_lines(self, scene: Scene) -> int:
        """Lines to read at a time for the scaling: whole blocks, where memory allows."""
        line_bytes = scene.grid.width * len(scene.bands) * scene.dtype.itemsize
        memory, free = self.options.memory, _SCALING_BYTES
        if memory is not None:
            free = min(free, (memory - resident_bytes()) // 4)
        max_lines = max(1, free // line_bytes)
        return max_lines // scene.block_height * scene.block_height or max_lines

    def _fitted_model(self, scene: Scene, fit: SceneFit) -> SceneModel:
        colours = self._colours(scene, fit.scaling.unscale(fit.centers), fit.counts)
        names = self._names(len(fit.centers))
        seed, command = self.options.seed, self.options.command
        return SceneModel.from_fit(fit, scene, colours, seed=seed, class_names=names, command=command)

    def _names(self, n_classes: int) -> tuple[str, ...] | None:
        if self.options.names is None:
            return None
        if len(self.options.names) != n_classes:
            raise DataError(f"{len(self.options.names)} names for {n_classes} classes; give one for each")
        return tuple(self.options.names)

    def _colours(
        self, scene: Scene, centers: NDArray[np.float64], sizes: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        options, bands = self.options, self._rgb(scene)
        if options.palette == "means" and bands is None:
            undescribed = f"the bands of {scene.name} are not described as red, green and blue"
            raise DataError(f"{undescribed}; say which they are (--rgb, rgb=)")
        if bands is None or options.palette == "distinct":
            return distinct_colours(len(centers))
        return ground_colours(centers, sizes, bands)

    def _rgb(self, scene: Scene) -> tuple[int, int, int] | None:
        """The bands asked for as red, green and blue, or described as such."""
        if self.options.rgb is None:
            return described_rgb(scene.bands)
        red, green, blue = chosen_bands(scene.bands, ReadOptions(bands=self.options.rgb), scene.name)
        return red, green, blue

    def _draw(
        self, scene: Scene, model: SceneModel, class_map: ClassMap, taken: int
    ) -> tuple[NDArray[np.int32] | None, ClassSizes, ClassStatistics | None]:
        options, reporter = self.options, ProgressReporter(self.options.progress)
        reporter.stage = "drawing the map"
        pipeline = MapPipeline(
            scene,
            Classifier(model.centers, model.scaling, options.n_threads),
            options.majority,
            options.sieve,
            options.memory,
            taken,
            reporter.on_pass,
            self.client,
        )
        with contextlib.ExitStack() as stack:
            outputs = MapOutputs(stack, class_map, overwrite=options.overwrite)
            on_labels = outputs.labels_to(self.output)
            on_detail = outputs.detail_to(options.second_best, options.distances)
            sizes, statistics = pipeline.run(on_labels, on_detail, statistics=options.statistics is not False)
            self.files.check()
            outputs.set_sizes(sizes)
        return outputs.held, sizes, statistics

    def _write_rest(self, result: Segmentation) -> None:
        options = self.options
        if options.statistics_path is not None:
            write_statistics(options.statistics_path, result.table, overwrite=options.overwrite)
        if self._model_path is not None:
            save_scene_model(result.model, self._model_path, overwrite=options.overwrite)


def described_rgb(bands: Sequence[Band]) -> tuple[int, int, int] | None:
    """Return the places of the bands described as red, green and blue; None unless there is one of each.

    >>> described_rgb([Band(text, "uint8", None) for text in ("B2 Blue", "green", "B4 - Red", "red edge")])
    (2, 1, 0)
    """
    places = []
    for colour in ("red", "green", "blue"):
        texts = [set(re.findall("[a-z]+", band.description.lower())) for band in bands]
        named = [place for place, text in enumerate(texts) if colour in text and "edge" not in text]
        if len(named) != 1:
            return None
        places += named
    red, green, blue = places
    return red, green, blue


def false_colour(n_bands: int) -> tuple[int, int, int]:
    """Return the places of the bands to show as red, green and blue where nothing is known of them.

    Of four bands or more the fourth, third and second: in the order of wavelengths that is near infrared, red
    and green, the common false-colour picture.

    >>> [false_colour(n_bands) for n_bands in (1, 2, 3, 6)]
    [(0, 0, 0), (0, 1, 1), (0, 1, 2), (3, 2, 1)]
    """
    if n_bands >= 4:
        return 3, 2, 1
    return 0, min(1, n_bands - 1), min(2, n_bands - 1)
