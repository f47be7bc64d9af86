"""Where pixels of rasters lie, and rasters that disagree about it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest

from kmosaic.errors import DataError
from kmosaic.scenes.io.raster_scene import open_scene
from scene_rasters import COARSE, Write, read_all, some, vrt_of

rasterio = pytest.importorskip("rasterio")
raster_shutil = pytest.importorskip("rasterio.shutil")
Affine = rasterio.Affine


# Grids


def test_no_crs_and_a_rotated_grid_are_kept(write: Write) -> None:
    rotated = Affine(30.0, 2.0, 5e5, 1.0, -30.0, 4e6)
    with open_scene(write("a.tif", some(), crs=None, transform=rotated)) as scene:
        assert scene.grid.crs == ""
        assert scene.grid.transform == pytest.approx(tuple(rotated)[:6])


def test_a_raster_that_lies_nowhere_is_read_without_a_warning(write: Write) -> None:
    path = write("a.tif", some(), crs=None, transform=Affine.identity())
    with warnings.catch_warnings(), open_scene(path) as scene:
        warnings.simplefilter("error")
        assert scene.grid.transform == (1, 0, 0, 0, 1, 0)
        assert scene.read(0, 20).valid is None


def test_a_png_with_a_world_file_is_read(write: Write) -> None:
    bands = some("uint8")
    path = write("a.png", bands, driver="PNG", crs=None, transform=Affine.identity())
    Path(path).with_suffix(".wld").write_text("30\n0\n0\n-30\n1015\n2985\n")
    with open_scene(path) as scene:
        assert scene.grid.transform == (30, 0, 1000, 0, -30, 3000)
        np.testing.assert_array_equal(scene.read(0, 20).values, np.moveaxis(bands, 0, 2))


def test_other_formats_are_read(write: Write, tmp_path: Path) -> None:
    for driver in ["COG", "JP2OpenJPEG"]:
        bands = some("uint16", (3, 64, 48))
        with rasterio.Env() as environment:
            if driver not in environment.drivers():
                continue  # some builds of GDAL have no OpenJPEG
        options = {"QUALITY": "100", "REVERSIBLE": "YES"} if driver == "JP2OpenJPEG" else {}
        raster_shutil.copy(write("a.tif", bands), str(tmp_path / "a.out"), driver=driver, **options)
        np.testing.assert_array_equal(read_all(str(tmp_path / "a.out"))[0], bands)


def test_grids_that_differ_are_told_apart_and_mended_by_the_line_that_is_told(write: Write) -> None:
    for other, shape, message in [
        ({"crs": "EPSG:32618"}, (40, 30), "CRS.*EPSG:32618.*EPSG:32617"),
        ({"crs": None}, (40, 30), "CRS none.*EPSG:32617"),
        ({}, (40, 31), "31 x 40.*30 x 40"),
        ({"transform": COARSE}, (20, 15), "60 x 60.*30 x 30"),
        ({"transform": Affine(30.0, 0, 5e5, 0, -30.0, 3_999_985.0)}, (40, 30), "corner.*3999985"),
        ({"transform": Affine(30.0, 0, 5e5, 0, 30.0, 4e6)}, (40, 30), "the transform"),
    ]:
        first = write("a b.tif", some("uint8", (1, 40, 30)))
        second = write("c.tif", some("uint8", (1, *shape)), **other)
        with pytest.raises(DataError, match=message) as refused:
            open_scene([first, second])
        words = ["gdalwarp", *shlex.split(str(refused.value).partition("gdalwarp ")[2])]
        if not shutil.which("gdalwarp"):
            continue  # the line is told all the same
        subprocess.run([*words, "-q"], check=True, capture_output=True)
        with open_scene([first, words[-1]]) as scene:
            assert scene.read(0, 40).values.shape == (40, 30, 2)


def test_a_rotated_grid_is_mended_by_two_lines(write: Write) -> None:
    rotated = Affine(30.0, 2.0, 5e5, 1.0, -30.0, 4e6)
    first = write("a.tif", some("uint8", (1, 40, 30)), transform=rotated)
    second = write("b.tif", some("uint8", (1, 40, 30)))
    with pytest.raises(DataError, match="results") as refused:
        open_scene([first, second])
    line = str(refused.value).partition("To bring it there: ")[2].partition(", and use")[0]
    if not shutil.which("gdalwarp"):
        pytest.skip("no gdalwarp on this machine")
    results = []
    for command in line.split(" && "):
        words = shlex.split(command)
        subprocess.run([*words, "-q"], check=True, capture_output=True)
        results.append(words[-1])
    open_scene(results).close()


def test_a_first_file_without_crs_is_given_one(write: Write) -> None:
    first = write("a.tif", some("uint8", (1, 40, 30)), crs=None)
    second = write("b.tif", some("uint8", (1, 40, 30)))
    with pytest.raises(DataError, match="gdal_translate -a_srs EPSG:32617 .*a.tif .*a-crs.tif"):
        open_scene([first, second])


def test_grids_that_differ_by_rounding_agree(write: Write) -> None:
    near = Affine(30.0 + 1e-9, 0.0, 500_000.001, 0.0, -30.0, 4_000_000.0)
    open_scene([write("a.tif", some()), write("b.tif", some(), transform=near)]).close()


def test_blocks_of_unlike_heights_are_read_together(write: Write) -> None:
    a = write("a.tif", some("uint8", (1, 40, 30)), blockysize=4)
    b = write("b.tif", some("uint8", (1, 40, 30)), blockysize=6)
    with open_scene([a, b]) as scene:
        assert scene.block_height == 12


def test_a_virtual_raster_has_the_blocks_of_its_files(write: Write) -> None:
    path = write("a.tif", some("uint8", (1, 300, 300)), tiled=True, blockxsize=256, blockysize=256)
    with open_scene(vrt_of(path, 300, 300)) as scene:
        assert scene.block_height == 256
