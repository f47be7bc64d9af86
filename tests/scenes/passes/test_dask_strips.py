"""Scenes fitted and labelled by a cluster's workers: the classes and labels of one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("dask", reason="dask is not installed")
pytest.importorskip("distributed", reason="distributed is not installed")
rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed")

from dask_workers import replace_killed  # noqa: E402
from kmosaic.errors import DataError  # noqa: E402
from kmosaic.scenes.fit.fit_scaling import fit_scaling  # noqa: E402
from kmosaic.scenes.fit.fitting import FitOptions, SceneFit, fit_scene  # noqa: E402
from kmosaic.scenes.io.array_scene import as_scene  # noqa: E402
from kmosaic.scenes.io.raster_scene import RasterScene  # noqa: E402
from kmosaic.scenes.map import pipeline  # noqa: E402
from kmosaic.scenes.map.classifier import Classifier  # noqa: E402
from kmosaic.scenes.map.pipeline import MapPipeline  # noqa: E402
from kmosaic.scenes.map.strip_task import StripTask  # noqa: E402
from kmosaic.scenes.passes import dask_strips  # noqa: E402
from kmosaic.scenes.passes.dask_strips import lines_of_strip, strips_by_workers  # noqa: E402
from kmosaic.scenes.scaling import METHODS  # noqa: E402
from kmosaic.scenes.scene import Scene, Strip  # noqa: E402
from kmosaic.scenes.segment import Segmentation, segment  # noqa: E402
from scene_files import write_raster  # noqa: E402


@pytest.fixture(autouse=True)
def short_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_strips, "_MIN_BYTES", 1)
    monkeypatch.setattr(dask_strips, "_STRIPS", 9)


def scene_of(folder: Path, dtype: str, *, nodata: float = 7.0) -> Scene:
    """A GeoTIFF of three bands in rows of pixels that differ, with nodata in a corner and here and there."""
    random = np.random.default_rng(2)
    kinds = random.integers(20, 230, (5, 3))[random.integers(0, 5, (90, 40))]
    values = (kinds + random.normal(0, 8, (90, 40, 3))).clip(10, 250).astype(dtype)
    values[:30, :25] = nodata
    values[random.random((90, 40)) < 0.1] = nodata
    path = folder / f"{dtype}.tif"
    profile = {"driver": "GTiff", "height": 90, "width": 40, "count": 3, "dtype": dtype, "nodata": nodata}
    with rasterio.open(
        path, "w", **profile, blockysize=5, transform=rasterio.Affine(30, 0, 0, 0, -30, 0)
    ) as file:
        file.write(np.moveaxis(values, 2, 0))
    return as_scene(path)


def assert_same(found: SceneFit, expected: SceneFit) -> None:
    assert (found.centers == expected.centers).all()
    assert (found.counts == expected.counts).all()
    assert (found.history == expected.history).all()
    assert (found.inertia, found.n_pixels) == (expected.inertia, expected.n_pixels)


def test_classes_and_labels_are_those_of_one_process(dask_client: Any, tmp_path: Path) -> None:
    for method, dtype in product(["none", "standard"], ["uint8", "uint16", "float32"]):
        scene, options = scene_of(tmp_path, dtype), FitOptions(4, seed=1, max_iter=8)
        scaling = fit_scaling(scene, method, 16)
        expected = fit_scene(scene, scaling, options)
        assert_same(fit_scene(scene, scaling, options, dask_client), expected)

        classifier = Classifier(expected.centers, scaling)
        labels = [done.labels for done in strips_by_workers(dask_client, scene, StripTask(classifier), 20)]
        whole = classifier.label(scene.read(0, 90))
        assert [len(strip) for strip in labels] == [20, 20, 20, 20, 10]
        assert (np.concatenate(labels) == whole).all()
        assert (whole == -1).any()


def test_a_sample_of_a_scene(dask_client: Any, tmp_path: Path) -> None:
    scene, options = scene_of(tmp_path, "uint8"), FitOptions(3, sample=500)
    scaling = fit_scaling(scene, "none", 16)
    found, expected = fit_scene(scene, scaling, options, dask_client), fit_scene(scene, scaling, options)
    assert_same(found, expected)
    assert found.sample_inertia == expected.sample_inertia


def test_a_worker_killed_in_the_middle_changes_nothing(
    dask_client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kmosaic.engines.dask.blocks.can_hold", lambda *_: False)
    scene = scene_of(tmp_path, "uint8")
    scaling = fit_scaling(scene, "none", 16)
    killed: list[int] = []

    def kill_one(iteration: int, *_: Any) -> None:
        if iteration == 2:
            killed.append(next(iter(dask_client.run(os.getpid).values())))
            os.kill(killed[-1], signal.SIGKILL)

    found = fit_scene(scene, scaling, FitOptions(4, on_iteration=kill_one), dask_client)
    assert_same(found, fit_scene(scene, scaling, FitOptions(4)))
    assert len(killed) == 1
    replace_killed(dask_client)


def test_scaling_by_workers_is_that_of_one_process_to_the_bit(dask_client: Any, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    for dtype, method in product(["uint8", "uint16", "float32", "float64"], METHODS):
        scene = scene_of(tmp_path, dtype)
        told.clear()
        found = fit_scaling(scene, method, 16, lambda *now: told.append(now), client=dask_client)
        assert found == fit_scaling(scene, method, 16), (dtype, method)
        n_passes = {"none": 0, "percentile": {"float32": 2, "float64": 4}.get(dtype, 1)}.get(method, 1)
        assert {total for _, total in told} == ({90 * n_passes} if n_passes else set()), (dtype, method)
        assert told == sorted(told)
        assert not told or told[-1] == (90 * n_passes, 90 * n_passes)


def test_scaling_by_workers_of_no_pixel_is_refused(dask_client: Any, tmp_path: Path) -> None:
    for dtype, method in product(["uint8", "float32"], METHODS[1:]):
        path = write_raster(tmp_path / "none.tif", np.zeros((40, 30, 2), dtype), nodata=0)
        with as_scene(path) as scene, pytest.raises(DataError, match="no valid pixel"):  # type: ignore[attr-defined]
            fit_scaling(scene, method, 16, client=dask_client)


# Each dtype, smoothing and further output; these do not touch each other's pixels.
@pytest.mark.parametrize(
    ("dtype", "extra", "options"),
    [
        ("uint8", "nothing", {}),
        ("float32", "statistics", {"majority": 3}),
        ("uint8", "statistics", {"sieve": 3}),
        ("float32", "details", {}),
        ("uint8", "details", {"majority": 3}),
        ("float32", "nothing", {"sieve": 3}),
    ],
)
def test_segment_draws_the_same_map_by_workers(
    dask_client: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dtype: str,
    extra: str,
    options: dict[str, Any],
) -> None:
    scene_of(tmp_path, dtype)
    source, told = tmp_path / f"{dtype}.tif", []
    names = ["map", "second_best", "distances"] if extra == "details" else ["map"]

    def run(folder: str, **more: Any) -> Segmentation:
        (tmp_path / folder).mkdir()
        written = {name: tmp_path / folder / f"{name}.tif" for name in names}
        return segment(
            source,
            3,
            written.pop("map"),
            statistics=extra == "statistics",
            scaling="standard",
            **written,
            **options,
            **more,
        )

    expected = run("a")
    monkeypatch.setattr(pipeline, "_STRIP_PIXELS", 1)  # strips of 16 lines
    found = run("b", dask=dask_client, progress=lambda *now: told.append(now[2]))

    for name in names:
        assert (tmp_path / "a" / f"{name}.tif").read_bytes() == (tmp_path / "b" / f"{name}.tif").read_bytes()
    assert found.inertia == expected.inertia
    assert (found.sizes.pixels == expected.sizes.pixels).all()
    if extra == "statistics":
        for name in ("means", "covariances", "separability"):
            np.testing.assert_array_equal(getattr(found.statistics, name), getattr(expected.statistics, name))
    assert told[-1] == "drawing the map"


@pytest.mark.parametrize(
    ("dtype", "n_classes", "lines_here"), [("uint16", 2, 0), ("float64", 2, 0), ("float64", 200, 90)]
)
def test_the_scene_is_read_by_workers_only(
    dask_client: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dtype: str,
    n_classes: int,
    lines_here: int,
) -> None:
    """Statistics, too, unless the sums of all classes are more than the pixels themselves."""
    scene = scene_of(tmp_path, dtype)
    centers = np.random.default_rng(0).uniform(20, 230, (n_classes, 3))
    classifier = Classifier(centers, fit_scaling(scene, "none", 16))
    kept: list[list[Any]] = [[], []]
    expected = MapPipeline(scene, classifier).run(lambda _: None, lambda detail: kept[0].append(detail))

    read, lines = RasterScene.read, []

    def watched(self: RasterScene, top: int, n_lines: int, *out: Any) -> Strip:
        lines.append(n_lines)
        return read(self, top, n_lines, *out)

    monkeypatch.setattr(RasterScene, "read", watched)
    monkeypatch.setattr(pipeline, "_STRIP_PIXELS", 1)  # strips of 16 lines
    by_workers = MapPipeline(scene, classifier, client=dask_client)
    found = by_workers.run(lambda _: None, lambda detail: kept[1].append(detail))

    assert sum(lines) == lines_here
    assert expected[1] is not None
    assert found[1] is not None
    np.testing.assert_array_equal(found[0].pixels, expected[0].pixels)
    np.testing.assert_array_equal(found[1].means, expected[1].means)
    np.testing.assert_array_equal(found[1].covariances, expected[1].covariances)
    for name in ("nearest", "second", "distance", "second_distance"):
        ours, theirs = (np.concatenate([getattr(detail, name) for detail in each]) for each in kept)
        np.testing.assert_array_equal(theirs, ours)
        assert ours.dtype == theirs.dtype


def test_segment_with_workers_started_for_it(tmp_path: Path) -> None:
    scene_of(tmp_path, "uint8")
    source, output = str(tmp_path / "uint8.tif"), str(tmp_path / "map.tif")
    arguments = ["segment", source, "--clusters", "3", "--dask", "local:1", "-o", output]
    done = subprocess.run(
        [sys.executable, "-m", "kmosaic", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "in 3 classes" in done.stdout
    segment(tmp_path / "uint8.tif", 3, tmp_path / "b.tif")
    assert Path(output).read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_a_scheduler_that_cannot_be_reached_leaves_no_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kmosaic.engines.dask.cluster.CONNECT_SECONDS", 0.2)
    scene_of(tmp_path, "uint8")
    with pytest.raises(DataError, match="tcp://127.0.0.1:9"):
        segment(tmp_path / "uint8.tif", 3, tmp_path / "map.tif", dask="tcp://127.0.0.1:9")
    assert [path.name for path in tmp_path.iterdir()] == ["uint8.tif"]


def test_progress_is_told_in_lines(dask_client: Any, tmp_path: Path) -> None:
    scene = scene_of(tmp_path, "uint8")
    told: list[tuple[int, int]] = []
    options = FitOptions(2, max_iter=1, on_pass=lambda *now: told.append(now))
    fit_scene(scene, fit_scaling(scene, "none", 16), options, dask_client)
    assert told[-1] == (90, 90)
    assert all(0 < done <= 90 for done, _ in told)


def test_what_a_worker_cannot_read_is_told(dask_client: Any, tmp_path: Path) -> None:
    scene = scene_of(tmp_path, "uint8")
    scaling = fit_scaling(scene, "none", 16)
    (tmp_path / "uint8.tif").unlink()
    with pytest.raises(DataError, match="uint8.tif"):
        fit_scene(scene, scaling, FitOptions(2), dask_client)


def test_strips_are_neither_too_large_nor_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for height, block_height, expected in [(1, 1, 1), (90_000, 16, 336), (90_000, 90_000, 349)]:
        monkeypatch.undo()
        assert lines_of_strip(Shape(height, block_height)) == expected


class Shape:
    """A scene of 100,000 columns and four bands of bytes, of which nothing is read."""

    def __init__(self, height: int, block_height: int) -> None:
        from kmosaic.scenes.scene import Band, Grid

        self.name = "shape"
        self.grid = Grid(95_870, height, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), "")
        self.bands = (Band("", "uint8", None),) * 4
        self.dtype = np.dtype(np.uint8)
        self.block_height = block_height

    def overhead_bytes(self, n_lines: int) -> int:  # noqa: ARG002
        return 0

    def read(self, top: int, n_lines: int, out: Any = None) -> Strip:
        raise NotImplementedError
