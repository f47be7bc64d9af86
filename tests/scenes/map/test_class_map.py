"""Maps as other programs find them: georeferenced, coloured, named; and never half-written."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from kmosaic.errors import DataError, OutputError
from kmosaic.scenes.io import geotiff_writer as module
from kmosaic.scenes.io.geotiff_writer import Layout, raster_output
from kmosaic.scenes.map.attribute_table import Column, sidecar
from kmosaic.scenes.map.class_map import ClassMap, Coding, class_map_output, sidecar_path, size_columns
from kmosaic.scenes.map.palette import distinct_colours
from kmosaic.scenes.scene import Grid
from kmosaic.scenes.stats.class_statistics import ClassSizes
from scene_files import NORTH_UP, UTM

rasterio = pytest.importorskip("rasterio")

WKT = rasterio.crs.CRS.from_string(UTM).to_wkt()


def labels_of(height: int, width: int, n_classes: int) -> NDArray[np.int32]:
    rng = np.random.default_rng(0)
    return np.resize(rng.integers(-1, n_classes, (97, 89)), (height, width)).astype(np.int32)


def drawn(labels: NDArray[np.int32], n_classes: int, nodata: int = 0, **changes: Any) -> ClassMap:
    height, width = labels.shape
    grid = Grid(width, height, changes.pop("transform", NORTH_UP), changes.pop("crs", WKT))
    coding = Coding(n_classes, nodata)
    return ClassMap(grid, coding, coding.names(None), distinct_colours(n_classes), **changes)


def write(path: Path, labels: NDArray[np.int32], class_map: ClassMap, n_lines: int = 100) -> None:
    with class_map_output(path, class_map) as output:
        for top in range(0, len(labels), n_lines):
            output.write(labels[top : top + n_lines])


def test_what_was_written_is_there(tmp_path: Path) -> None:
    for cog, n_lines in product([False, True], [16, 256, 300, 700]):
        labels = labels_of(700, 530, 12)
        folder = tmp_path / f"{cog} {n_lines}"
        folder.mkdir()

        write(folder / "m.tif", labels, drawn(labels, 12, cog=cog), n_lines)

        with rasterio.open(folder / "m.tif") as dataset:
            np.testing.assert_array_equal(dataset.read(1), labels + 1)
            assert dataset.dtypes == ("uint8",)
            assert dataset.nodata == 0
            assert dataset.crs == rasterio.crs.CRS.from_string(UTM)
            assert tuple(dataset.transform)[:6] == NORTH_UP
            assert dataset.descriptions == ("class",)
            assert dataset.colormap(1)[1] == (*distinct_colours(1)[0].tolist(), 255)
            assert dataset.compression == rasterio.enums.Compression.deflate
            assert dataset.profile["tiled"]
            assert dataset.overviews(1)
            assert dataset.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == ("COG" if cog else None)
        assert sorted(path.name for path in folder.iterdir()) == ["m.tif", "m.tif.aux.xml"]


def test_overviews_have_the_commonest_class_and_no_missing_pixel_makes_one(tmp_path: Path) -> None:
    labels = np.repeat(np.repeat(labels_of(300, 300, 5), 2, 0), 2, 1)
    labels[1::2, 1::2] = -1

    write(tmp_path / "m.tif", labels, drawn(labels, 5))

    with rasterio.open(tmp_path / "m.tif", overview_level=0) as dataset:
        np.testing.assert_array_equal(dataset.read(1), labels[::2, ::2] + 1)


def test_values_are_as_small_as_fits(tmp_path: Path) -> None:
    for n_classes, nodata, dtype, first in [
        (12, 0, "uint8", 1),
        (255, 0, "uint8", 1),
        (256, 0, "uint16", 1),
        (255, 255, "uint8", 0),
    ]:
        path = tmp_path / f"{n_classes} {nodata}.tif"
        labels = np.arange(-1, n_classes, dtype=np.int32)[None, :]

        write(path, labels, drawn(labels, n_classes, nodata))

        with rasterio.open(path) as dataset:
            assert dataset.dtypes == (dtype,)
            assert dataset.nodata == nodata
            assert dataset.read(1)[0].tolist() == [nodata, *range(first, first + n_classes)]
            assert dataset.colormap(1)[first + n_classes - 1][:3] == tuple(distinct_colours(n_classes)[-1])


def test_codings_without_room_are_refused() -> None:
    for n_classes, nodata, words in [
        (256, 255, "255 values.*nodata 255"),
        (70_000, 0, "fewer clusters"),
        (3, 7, "must be 0"),
    ]:
        with pytest.raises(DataError, match=words):
            Coding(n_classes, nodata)


def test_a_turned_grid_is_kept(tmp_path: Path) -> None:
    labels, turned = labels_of(20, 30, 3), (20.0, 5.0, 1000.0, 4.0, -25.0, 2000.0)

    write(tmp_path / "m.tif", labels, drawn(labels, 3, transform=turned))

    with rasterio.open(tmp_path / "m.tif") as dataset:
        assert tuple(dataset.transform)[:6] == turned


def test_no_crs_stays_none(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    labels = labels_of(20, 30, 3)
    plain = drawn(labels, 3, crs="", transform=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0))

    write(tmp_path / "m.tif", labels, plain)

    assert [str(warning.message) for warning in recwarn] == []
    with rasterio.open(tmp_path / "m.tif") as dataset:
        assert dataset.crs is None


def test_names_of_any_kind_survive_in_the_sidecar() -> None:
    names = ("<b>&amp;", "é 水", "]]>", "'\"")
    columns = [
        Column("Count", "PixelCount", [5, 2**40, 0, 1]),
        Column("Area_m2", "Generic", [1.5, 2.0, 0.0, 3.0]),
    ]

    root = ElementTree.fromstring(sidecar((1, 2, 3, 4), names, distinct_colours(4), columns))

    assert [element.text for element in root.iter("Category")] == ["missing", *names]
    rows = [[cell.text for cell in row] for row in root.iter("Row")]
    assert [row[1] for row in rows] == list(names)
    assert rows[1][5:] == ["1099511627776", "2.0"]
    types = {field.findtext("Name"): field.findtext("Type") for field in root.iter("FieldDefn")}
    # GDAL's integers have 32 bits.
    assert types["Count"] == "1"
    assert types["Value"] == "0"
    assert types["Class"] == "2"


@pytest.mark.skipif(shutil.which("gdalinfo") is None, reason="no gdalinfo to ask")
def test_gdal_finds_names_and_table(tmp_path: Path) -> None:
    labels = labels_of(40, 30, 3)
    path = tmp_path / "m.tif"
    with class_map_output(path, drawn(labels, 3)) as output:
        output.write(labels)
        output.columns = size_columns(ClassSizes(np.array([7, 8, 9]), 0, np.array([7.5, 8.5, 9.5])))

    told = json.loads(subprocess.check_output(["gdalinfo", "-json", str(path)], text=True))

    assert told["bands"][0]["categories"] == ["missing", "class 1", "class 2", "class 3"]
    table = told["rat"] if "rat" in told else told["bands"][0]["rat"]
    assert [field["name"] for field in table["fieldDefn"]] == [
        "Value",
        "Class",
        "Red",
        "Green",
        "Blue",
        "Count",
        "Area_m2",
    ]
    assert [row["f"][:2] for row in table["row"]] == [[1, "class 1"], [2, "class 2"], [3, "class 3"]]


def test_what_exists_is_kept(tmp_path: Path) -> None:
    labels = labels_of(20, 30, 3)
    sidecar_path(tmp_path / "m.tif").write_text("mine")

    with pytest.raises(OutputError, match=r"m\.tif\.aux\.xml"):
        write(tmp_path / "m.tif", labels, drawn(labels, 3))

    assert [path.name for path in tmp_path.iterdir()] == ["m.tif.aux.xml"]


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    labels = labels_of(600, 300, 3)

    def interrupted() -> None:
        with class_map_output(tmp_path / "m.tif", drawn(labels, 3)) as output:
            output.write(labels[:500])
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        signal.signal(signal.SIGINT, before)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cog", [False, True], ids=["GeoTIFF", "COG"])
def test_a_file_that_does_not_hold_what_was_written_gets_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cog: bool
) -> None:
    read_back = module._read_back

    def damaged(library: Any, path: Path, checksums: list[int]) -> None:
        with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
            dataset.write(np.full((1, 1), 2, np.uint8), 1, window=((300, 301), (100, 101)))
        read_back(library, path, checksums)

    monkeypatch.setattr(module, "_read_back", damaged)
    labels = np.zeros((600, 300), np.int32)

    with pytest.raises(OutputError, match="written"):
        write(tmp_path / "m.tif", labels, drawn(labels, 3, cog=cog))

    assert list(tmp_path.iterdir()) == []


_FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from kmosaic.errors import OutputError
sys.path.insert(0, {tests!r})
from test_class_map import drawn, write
labels = np.random.default_rng(0).integers(-1, 12, (1500, 1500)).astype(np.int32)
for limit in [1_400_000, 1_150_000, 400_000, 2_000]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for cog in [False, True]:
        try:
            write(Path("m.tif"), labels, drawn(labels, 12, cog=cog))
        except OutputError as error:
            print(error, list(Path().iterdir()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file sizes")
def test_a_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK.format(tests=str(Path(__file__).parent))],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    messages = done.stdout.splitlines()
    assert len(messages) == 4 * 2, done.stderr
    assert all(re.fullmatch(r"m.tif cannot be written.* \[\]", message) for message in messages)
    assert done.stderr == "" or sys.platform != "linux"
    assert list(tmp_path.iterdir()) == []


def test_several_bands_of_floats_are_written_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bands = rng.normal(size=(2, 300, 270)).astype(np.float32)
    bands[:, 5, 6] = np.nan
    layout = Layout("float32", float("nan"), ("near", "far"), "average")
    grid = Grid(270, 300, NORTH_UP, WKT)

    with raster_output(tmp_path / "d.tif", grid, layout) as output:
        output.write(*bands)

    with rasterio.open(tmp_path / "d.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), bands)
        assert dataset.descriptions == ("near", "far")
        assert np.isnan(dataset.nodata)
