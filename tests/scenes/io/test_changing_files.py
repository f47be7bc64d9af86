"""A scene that changes while it is read ends in an error that names the file, and in no output."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from kmosaic.errors import DataError
from kmosaic.scenes import ReadOptions, segment
from scene_files import patches, write_raster

pytest.importorskip("rasterio")


def touched(file: Path) -> None:
    found = file.stat()
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns + 1))


def appended(file: Path) -> None:
    before = file.stat()
    with file.open("ab") as stream:
        stream.write(b"\0")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(file: Path) -> None:
    before = file.stat()
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)


def removed(file: Path) -> None:
    file.unlink()


def test_a_file_that_changes_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    """The scene lies behind a VRT; it changes while classes are sought, or while the map is drawn."""
    cases = product(
        ["scene.tif", "mask.tif"], [touched, appended, replaced, removed], ["iteration", "drawing"]
    )
    for case, (name, change, what) in enumerate(cases):
        folder = tmp_path / str(case)
        folder.mkdir()
        check_change(folder, name, change, what)


def check_change(tmp_path: Path, name: str, change: Callable[[Path], None], what: str) -> None:
    write_raster(tmp_path / "scene.tif", patches(n_bands=1))
    mask = write_raster(tmp_path / "mask.tif", patches(n_bands=1))
    virtual = tmp_path / "scene.vrt"
    virtual.write_text(
        '<VRTDataset rasterXSize="50" rasterYSize="60"><SRS>EPSG:32618</SRS>'
        "<GeoTransform>500000, 30, 0, 4000000, 0, -30</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="1">scene.tif'
        "</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    done: list[str] = []

    def progress(*now: Any) -> None:
        if now[2].startswith(what) and not done:
            done.append(now[2])
            change(tmp_path / name)

    with pytest.raises(DataError, match=f"{name} changed"):
        segment(
            virtual,
            3,
            tmp_path / "map.tif",
            read=ReadOptions(mask=mask),
            statistics=tmp_path / "s.csv",
            model=tmp_path / "m.kmosaic",
            progress=progress,
        )
    assert done
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"scene.tif", "mask.tif", "scene.vrt"}


def test_a_model_may_change_once_it_was_read(tmp_path: Path) -> None:
    scene, model = write_raster(tmp_path / "scene.tif", patches()), tmp_path / "m.kmosaic"
    segment(scene, 3, model=model)
    assert segment(scene, model=model, progress=lambda *_: touched(model)).labels is not None
