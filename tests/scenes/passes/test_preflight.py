"""Scenes that a few bytes declare to be huge."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from kmosaic.errors import DataError, OutputError
from kmosaic.scenes import as_scene, segment
from kmosaic.scenes.passes.preflight import Output, check_space
from scene_files import patches, write_raster

pytest.importorskip("rasterio")


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """10^12 pixels of two bands."""
    write_raster(tmp_path / "small.tif", patches(60, 50, 2))
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{band}"><SimpleSource><SourceFilename relativeToVRT="1">'
        f"small.tif</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in (1, 2)
    )
    path = tmp_path / "huge.vrt"
    path.write_text(
        '<VRTDataset rasterXSize="1000000" rasterYSize="1000000">'
        f"<GeoTransform>0, 1, 0, 0, 0, -1</GeoTransform>{bands}</VRTDataset>"
    )
    return path


def test_how_large_a_scene_is_is_said_before_it_is_read(huge: Path, tmp_path: Path) -> None:
    with as_scene(huge) as scene:  # type: ignore[attr-defined]
        scene.read = None  # nothing is
        with pytest.warns(
            UserWarning,
            match="1,000,000 x 1,000,000.*4,000 GB.*9,000 GB",
        ):
            check_space(scene, 0, [Output(tmp_path / "map.tif", 1), Output(tmp_path / "distances.tif", 8)])


def test_outputs_that_no_compression_fits_on_the_disk_are_refused(
    huge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    disk = SimpleNamespace()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: disk)  # noqa: ARG005
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({}, 968_000_000, "969 MB"),
        ({"second_best": "second.tif"}, 968_000_000, "969 MB"),
        ({"distances": "distances.tif"}, 7_000_000_000, "7,752 MB"),
        ({"n_clusters": 300}, 1_937_000_000, "1,938 MB"),
    ]
    for options, disk.free, needed in cases:
        with pytest.raises(OutputError, match=f"{needed}.*disk"):
            segment(huge, **{"n_clusters": 3, "output": "map.tif", "overwrite": True, **options})
        assert sorted(path.name for path in tmp_path.iterdir()) == ["huge.vrt", "small.tif"], options


def test_what_memory_cannot_hold_is_refused(
    huge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    free = SimpleNamespace(available=2_999_999_999_999)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "4,000,000 MB"),
        ({"sieve": 4}, "7,000,000 MB"),
        ({"sieve": 4, "output": "map.tif"}, "3,000,000 MB"),
    ]
    for options, needed in cases:
        with pytest.raises(DataError, match=f"huge.vrt.*{needed}.*memory.*3,000,000 MB"):
            segment(huge, 3, **options)


def test_usual_scenes_pass_in_silence(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "scene.tif", patches(60, 50, 2))
    with as_scene(path) as scene, warnings.catch_warnings():  # type: ignore[attr-defined]
        warnings.simplefilter("error")
        check_space(scene, 4, [Output(tmp_path / "map.tif", 1)])
