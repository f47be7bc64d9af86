"""Scenes from raster files: values, bands, and real scenes."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.io import gdal_env as gdal
from kmosaic.scenes.io.array_scene import as_scene
from kmosaic.scenes.io.raster_scene import RasterScene, open_scene
from kmosaic.scenes.io.read_options import ReadOptions
from scene_rasters import COARSE, RNG, Write, read_all, some, vrt_of

rasterio = pytest.importorskip("rasterio")


# What is read


def test_values_are_those_written_however_they_are_stored(write: Write) -> None:
    for profile, dtype in product(
        [
            {},
            {"interleave": "pixel"},
            {"tiled": True, "blockxsize": 16, "blockysize": 16},
            {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate", "interleave": "pixel"},
            {"blockysize": 3, "compress": "lzw"},
        ],
        ["uint8", "uint16", "float32", "float64"],
    ):
        bands = some(dtype, (3, 40, 33))
        values, valid = read_all(write("a.tif", bands, **profile))
        assert values.dtype == dtype
        np.testing.assert_array_equal(values, bands)
        assert valid.all()


def test_integers_that_are_no_pixel_dtype_are_held_exactly(write: Write) -> None:
    for stored, held in [
        ("int8", "float32"),
        ("int16", "float32"),
        ("uint32", "float64"),
        ("int32", "float64"),
        ("int64", "float64"),
    ]:
        info = np.iinfo(stored)
        ends = [max(info.min, -(2**53) + 1), min(info.max, 2**53 - 1), 0, 1]
        bands = np.array(ends, dtype=stored).reshape(1, 2, 2)
        values, _ = read_all(write("a.tif", bands))
        assert values.dtype == held
        assert values.astype(object).ravel().tolist() == ends


def test_bands_of_unlike_dtypes_are_held_by_the_least_that_holds_all(write: Write) -> None:
    a, b = some("uint8", (1, 5, 6)), some("int16", (1, 5, 6)) - np.int16(300)
    values, _ = read_all([write("a.tif", a), write("b.tif", b)])
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.concatenate([a.astype(float), b]))
    assert read_all([write("a.tif", a), write("c.tif", some("uint16", (1, 5, 6)))])[0].dtype == np.uint16


def test_whole_numbers_that_float64_does_not_hold_are_refused(write: Write) -> None:
    bands = np.zeros((1, 4, 3), np.int64)
    bands[0, 2, 1] = 2**53 + 1
    with pytest.raises(DataError, match="line 3, column 2.*53 bits"):
        read_all(write("a.tif", bands))


def test_complex_bands_are_refused(write: Write) -> None:
    with pytest.raises(DataError, match="complex64"):
        open_scene(write("a.tif", some("complex64")))


def test_lines_are_read_into_the_buffer_that_is_given(write: Write) -> None:
    for extension in ["tif", "vrt"]:
        bands = some()
        path = write("a.tif", bands)
        source = path if extension == "tif" else vrt_of(path)
        buffer = np.zeros((9, 14, 3), np.uint16)
        with open_scene(source) as scene:
            strip = scene.read(6, 5, buffer[:5])
        assert strip.top == 6
        assert strip.values.base is buffer
        np.testing.assert_array_equal(buffer[:5], np.moveaxis(bands[:, 6:11], 0, 2))
        assert not buffer[5:].any()
        assert strip.valid is None


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(height=st.integers(1, 20))
def test_strips_of_any_height_give_the_same_pixels(write: Write, height: int) -> None:
    bands = some("int16", (3, 20, 14))
    bands[RNG.random(bands.shape) < 0.1] = -5
    path = write("a.tif", bands, nodata=-5, tiled=True, blockxsize=16, blockysize=16)
    whole, valid = read_all(path)
    with open_scene(path) as scene:
        strips = [scene.read(top, min(height, 20 - top)) for top in range(0, 20, height)]
        assert scene.block_height == 16
    pixels = np.concatenate([strip.pixels() for strip in strips])
    np.testing.assert_array_equal(pixels, np.moveaxis(whole, 0, 2)[valid])


def test_lines_outside_are_refused(write: Write) -> None:
    with open_scene(write("a.tif", some())) as scene:
        for top, n_lines in ((-1, 2), (0, 0), (19, 2)):
            with pytest.raises(ValueError, match="not within the 20"):
                scene.read(top, n_lines)


def test_many_threads_may_read_in_turn(write: Write) -> None:
    bands = some("uint16", (3, 64, 14))
    found: dict[int, NDArray[Any]] = {}
    turn = threading.Lock()
    with open_scene(write("a.tif", bands, compress="deflate", blockysize=8)) as scene:

        def read(top: int) -> None:
            with turn:
                found[top] = scene.read(top, 8).values

        threads = [threading.Thread(target=read, args=(top,)) for top in range(0, 64, 8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    np.testing.assert_array_equal(
        np.concatenate([found[top] for top in sorted(found)]), np.moveaxis(bands, 0, 2)
    )


def test_a_scene_is_opened_again_by_the_process_that_unpickles_it(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bands = some()
    write("a.tif", bands[:2], nodata=7)
    write("b.tif", bands[2:])
    mask = write("mask.tif", np.ones((1, 20, 14), np.uint8))
    monkeypatch.chdir(tmp_path)
    options = ReadOptions(bands=(3, 1), mask=mask)
    with open_scene(["a.tif", "b.tif"], options) as scene:
        packed = pickle.dumps(scene)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pickle.loads(packed) as again:
        assert isinstance(again, RasterScene)
        assert again.name == "a.tif"
        np.testing.assert_array_equal(again.read(0, 20).values, np.moveaxis(bands[[2, 0]], 0, 2))


def test_open_datasets_are_read_and_left_open(write: Write) -> None:
    bands = some()
    with rasterio.open(write("a.tif", bands)) as dataset:
        values, _ = read_all(dataset)
        np.testing.assert_array_equal(values, bands)
        assert not dataset.closed
        np.testing.assert_array_equal(
            pickle.loads(pickle.dumps(as_scene(dataset))).read(0, 20).values, np.moveaxis(bands, 0, 2)
        )


def test_a_dataset_warped_as_it_is_read_will_do(write: Write) -> None:
    bands = some()
    vrt_module = pytest.importorskip("rasterio.vrt")
    with rasterio.open(write("a.tif", bands)) as dataset:
        form = {"crs": "EPSG:32617", "width": 7, "height": 10, "transform": COARSE}
        with vrt_module.WarpedVRT(dataset, **form) as warped:
            values, _ = read_all(warped)
            np.testing.assert_array_equal(values, warped.read())


def test_a_closed_scene_is_not_read(write: Write) -> None:
    with open_scene(write("a.tif", some())) as scene:
        pass
    with pytest.raises(DataError, match="lines 1 to 2.*closed"):
        scene.read(0, 2)


def test_datasets_without_a_file_are_read_but_not_pickled(write: Write) -> None:
    content = Path(write("a.tif", some())).read_bytes()
    with rasterio.MemoryFile(content) as memory, memory.open() as dataset:
        scene = open_scene(dataset)
        assert scene.read(0, 20).values.shape == (20, 14, 3)
        with pytest.raises(DataError, match="processes"):
            pickle.dumps(scene)


def test_reading_takes_what_it_says_beside_the_strip(write: Write) -> None:
    path = write("a.tif", some(), nodata=3)
    with (
        open_scene(path) as scene,
        open_scene(path, ReadOptions(mask=write("m.tif", some("uint16", (1, 20, 14))))) as masked,
    ):
        assert gdal.CACHE_BYTES < scene.overhead_bytes(1) < scene.overhead_bytes(10)
        assert masked.overhead_bytes(20) - scene.overhead_bytes(20) == 20 * 14 * 3


# Which bands


def describe(*names: str) -> Callable[[Any], None]:
    def then(dataset: Any) -> None:
        dataset.descriptions = names

    return then


def test_bands_are_chosen_by_number_or_description(write: Write) -> None:
    bands = some("uint8", (4, 5, 6))
    path = write("a.tif", bands, describe("red", "green", "Red", "nir"))
    for chosen, places in (
        ((4, 1), [3, 0]),
        (("nir", "2"), [3, 1]),
        (("NIR", "Red"), [3, 2]),
        (("red",), [0]),
    ):
        values, _ = read_all(path, bands=chosen)
        np.testing.assert_array_equal(values, bands[places])
    with open_scene(path, ReadOptions(bands=("nir",))) as scene:
        assert [band.description for band in scene.bands] == ["nir"]


def test_bands_that_are_not_there_are_refused(write: Write) -> None:
    for chosen, message in [
        ((5,), r"band 5.*1 \(red\), 2 \(Red\), 3, 4"),
        (("0",), "no band 0"),
        (("swir",), "'swir'"),
        (("RED",), "2 bands.*'RED'"),
        ((1, "red"), "twice"),
        ((), "band.*read"),
    ]:
        path = write("a.tif", some("uint8", (4, 5, 6)), describe("red", "Red", "", ""))
        with pytest.raises(DataError, match=message):
            open_scene(path, ReadOptions(bands=chosen))


def test_bands_of_several_files_are_numbered_on(write: Write) -> None:
    a, b = some("uint8", (2, 5, 6)), some("uint8", (2, 5, 6))
    values, _ = read_all([write("a.tif", a), write("b.tif", b)], bands=(4, 1, 2, 3))
    np.testing.assert_array_equal(values, np.stack([b[1], a[0], a[1], b[0]]))


def test_what_a_file_calls_its_bands_cannot_act_on_terminals(write: Write) -> None:
    with open_scene(write("a.tif", some("uint8", (1, 5, 6)), describe("\x9b2Jred"))) as scene:
        assert scene.bands[0].description == "\ufffd2Jred"


def test_colour_tables_are_no_measurements(write: Write) -> None:
    def colour(dataset: Any) -> None:
        dataset.write_colormap(1, {1: (255, 0, 0, 255)})

    path = write("a.tif", some("uint8", (1, 5, 6)), colour)
    with pytest.raises(DataError, match="gdal_translate -expand rgb"):
        open_scene(path)
    assert read_all(path, bands=(1,))[0].shape == (1, 5, 6)


def test_scale_and_offset_are_used_where_they_are_asked_for(write: Write) -> None:
    def tag(dataset: Any) -> None:
        dataset.scales, dataset.offsets = (0.0001, 1.0, 0.5), (-0.1, 0.0, 1e6)

    bands = some("uint16")
    path = write("a.tif", bands, tag, nodata=9)
    np.testing.assert_array_equal(read_all(path)[0], bands)
    values, valid = read_all(path, use_scale_offset=True, bands=(1, 2))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values[0], (bands[0] * 0.0001 - 0.1).astype(np.float32))
    np.testing.assert_array_equal(values[1], bands[1])
    np.testing.assert_array_equal(valid, (bands[:2] != 9).all(axis=0))
    # float32 has steps of 1/16 at a million: too few for steps of 1/2
    assert read_all(path, use_scale_offset=True)[0].dtype == np.float64


def test_a_scale_of_nothing_is_refused(write: Write) -> None:
    def tag(dataset: Any) -> None:
        dataset.scales = (0.0,)

    with pytest.raises(DataError, match="scale 0.0"):
        open_scene(write("a.tif", some("uint8", (1, 5, 6)), tag), ReadOptions(use_scale_offset=True))


# Real scenes


def test_north_carolina_has_two_dtypes_and_two_nodata_values(shared_data: Path) -> None:
    files = sorted((shared_data / "landsat7-nc").glob("*.tif"))
    if len(files) != 6:
        pytest.skip("no Landsat scene of North Carolina")
    with open_scene(files) as scene:
        assert (scene.grid.height, scene.grid.width, scene.dtype) == (443, 489, np.float32)
        assert [band.dtype for band in scene.bands] == ["float32"] * 5 + ["int16"]
        assert [band.nodata for band in scene.bands] == [-99999] * 5 + [-32768]
        pixels = np.concatenate([scene.read(top, min(8, 443 - top)).pixels() for top in range(0, 443, 8)])
    raw = []
    for file in files:
        with rasterio.open(file) as dataset:
            raw.append(dataset.read(1, masked=True))
    present = ~np.logical_or.reduce([np.ma.getmaskarray(band) for band in raw])
    np.testing.assert_array_equal(pixels, np.stack([band.data[present] for band in raw], axis=1))
    assert pixels.min() > 0
    assert pixels.max() <= 255


def test_the_bahamas_lie_in_a_collar_of_nodata(shared_data: Path) -> None:
    file = shared_data / "landsat7-bahamas" / "RGB.byte.tif"
    if not file.is_file():
        pytest.skip("no Landsat scene of the Bahamas")
    values, valid = read_all(file)
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(valid, (values != 0).all(axis=0))
    _, any_band = read_all(file, missing="all")
    with rasterio.open(file) as dataset:
        np.testing.assert_array_equal(any_band, dataset.dataset_mask() != 0)
    assert valid.sum() < any_band.sum() < valid.size
