"""Scenes from raster files: what is read, what is missing, and files that cannot be read."""

from __future__ import annotations

import contextlib
import http.server
import logging
import pickle
import shlex
import shutil
import subprocess
import sys
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from kmosaic.errors import DataError, MissingLibraryError
from kmosaic.scenes import gdal
from kmosaic.scenes.arrays import as_scene
from kmosaic.scenes.raster import RasterScene, open_scene
from kmosaic.scenes.reading import ReadOptions

rasterio = pytest.importorskip("rasterio")
raster_shutil = pytest.importorskip("rasterio.shutil")
Affine = rasterio.Affine
NORTH_UP = Affine(30.0, 0.0, 500_000.0, 0.0, -30.0, 4_000_000.0)
COARSE = Affine(60.0, 0.0, 500_000.0, 0.0, -60.0, 4_000_000.0)
RNG = np.random.default_rng(7)

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write bands (n_bands, height, width) as a GeoTIFF, or what else the profile says; return the path."""

    def write_raster(
        name: str, bands: NDArray[Any], then: Callable[[Any], None] | None = None, **profile: Any
    ) -> str:
        n_bands, height, width = bands.shape
        georeference = {"crs": "EPSG:32617", "transform": NORTH_UP}
        form = {"driver": "GTiff", "dtype": bands.dtype.name, **georeference, **profile}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(
                tmp_path / name, "w", count=n_bands, height=height, width=width, **form
            ) as dataset:
                dataset.write(bands)
                if then:
                    then(dataset)
        return str(tmp_path / name)

    return write_raster


def read_all(source: Any, **options: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """All lines of a scene: (n_bands, height, width), and which pixels are present."""
    with open_scene(source, ReadOptions(**options)) as scene:
        strip = scene.read(0, scene.grid.height)
        valid = np.ones(strip.values.shape[:2], np.bool_) if strip.valid is None else strip.valid
        return np.moveaxis(strip.values, 2, 0), valid


def some(dtype: str = "uint16", shape: tuple[int, int, int] = (3, 20, 14)) -> NDArray[Any]:
    return RNG.integers(1, 200, shape).astype(dtype)


# What is read


@pytest.mark.parametrize(
    "profile",
    [
        {},
        {"interleave": "pixel"},
        {"tiled": True, "blockxsize": 16, "blockysize": 16},
        {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate", "interleave": "pixel"},
        {"blockysize": 3, "compress": "lzw"},
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_values_are_those_written_however_they_are_stored(
    write: Write, dtype: str, profile: dict[str, Any]
) -> None:
    bands = some(dtype, (3, 40, 33))
    values, valid = read_all(write("a.tif", bands, **profile))
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, bands)
    assert valid.all()


@pytest.mark.parametrize(
    ("stored", "held"),
    [
        ("int8", "float32"),
        ("int16", "float32"),
        ("uint32", "float64"),
        ("int32", "float64"),
        ("int64", "float64"),
    ],
)
def test_integers_that_are_no_pixel_dtype_are_held_exactly(write: Write, stored: str, held: str) -> None:
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
    with pytest.raises(DataError, match="line 3, column 2 holds a whole number of more than 53 bits"):
        read_all(write("a.tif", bands))


def test_complex_bands_are_refused(write: Write) -> None:
    with pytest.raises(DataError, match="complex64"):
        open_scene(write("a.tif", some("complex64")))


@pytest.mark.parametrize("extension", ["tif", "vrt"])
def test_lines_are_read_into_the_buffer_that_is_given(write: Write, extension: str) -> None:
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
    with pytest.raises(DataError, match="cannot be read in lines 1 to 2: .*closed"):
        scene.read(0, 2)


def test_datasets_without_a_file_are_read_but_not_pickled(write: Write) -> None:
    content = Path(write("a.tif", some())).read_bytes()
    with rasterio.MemoryFile(content) as memory, memory.open() as dataset:
        scene = open_scene(dataset)
        assert scene.read(0, 20).values.shape == (20, 14, 3)
        with pytest.raises(DataError, match="other processes need one"):
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


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ((5,), r"no band 5; its bands are 1 \(red\), 2 \(Red\), 3, 4"),
        (("0",), "no band 0"),
        (("swir",), "no band described as 'swir'"),
        (("RED",), "2 bands described as 'RED'"),
        ((1, "red"), "twice"),
        ((), "no band to read"),
    ],
)
def test_bands_that_are_not_there_are_refused(write: Write, chosen: tuple[Any, ...], message: str) -> None:
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


# What is missing


def test_each_band_has_its_own_nodata(write: Write) -> None:
    a, b = some("uint8", (1, 5, 6)), some("int16", (1, 5, 6))
    a[0, 1, 1], b[0, 1, 1], b[0, 2, 3], a[0, 0, 0] = 0, 255, -32768, 255
    paths = [write("a.tif", a, nodata=0), write("b.tif", b, nodata=-32768)]
    _, valid = read_all(paths)
    assert np.argwhere(~valid).tolist() == [[1, 1], [2, 3]]
    assert np.argwhere(~read_all(paths, nodata=255)[1]).tolist() == [[0, 0], [1, 1]]
    assert np.argwhere(~read_all(paths, nodata=("none", "-32768"))[1]).tolist() == [[2, 3]]
    assert read_all(paths, nodata="none")[1].all()
    with pytest.raises(DataError, match="3 nodata values for the 2 bands"):
        read_all(paths, nodata=(1, 2, 3))


@pytest.mark.parametrize("nodata", [-1, 300, 0.5, float("nan")])
def test_nodata_that_a_dtype_does_not_hold_is_no_pixel(write: Write, nodata: float) -> None:
    bands = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert read_all(write("a.tif", bands), nodata=nodata)[1].all()


@pytest.mark.parametrize(
    ("nodata", "value"),
    [
        (-9999.0, -9999.0),
        (0.1, np.float32(0.1)),
        (-3.40282e38, np.finfo("f4").min),
        (-np.inf, -np.inf),
        (0.0, -0.0),
    ],
)
def test_float_nodata_is_found_though_its_tag_is_rounded(write: Write, nodata: float, value: float) -> None:
    bands = some("float32", (1, 5, 6))
    bands[0, 3, 2] = value
    _, valid = read_all(write("a.tif", bands), nodata=nodata)
    assert np.argwhere(~valid).tolist() == [[3, 2]]


def test_nan_is_missing(write: Write) -> None:
    bands = some("float64")
    bands[1, 4, 4] = np.nan
    assert np.argwhere(~read_all(write("a.tif", bands))[1]).tolist() == [[4, 4]]


@pytest.mark.parametrize("nodata", [None, 77])
def test_alpha_is_no_feature_but_says_what_is_missing(write: Write, nodata: int | None) -> None:
    bands = some("uint8", (4, 5, 6))
    bands[bands == 77] = 78
    bands[3, 2, :] = 0
    path = write("a.tif", bands, photometric="RGB", alpha="yes", nodata=nodata)
    values, valid = read_all(path)
    np.testing.assert_array_equal(values, bands[:3])
    np.testing.assert_array_equal(valid, bands[3] != 0)
    named, valid = read_all(path, bands=(1, 4))
    np.testing.assert_array_equal(named, bands[[0, 3]])
    assert valid.all()


@pytest.mark.parametrize("internal", ["YES", "NO"])
def test_mask_bands_say_what_is_missing(write: Write, internal: str) -> None:
    present = RNG.random((20, 14)) < 0.5
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal):
        path = write("a.tif", some(), lambda dataset: dataset.write_mask(present))
    np.testing.assert_array_equal(read_all(path)[1], present)
    np.testing.assert_array_equal(read_all(path, bands=(2,))[1], present)


def test_a_band_may_have_a_mask_of_its_own(write: Write) -> None:
    present = RNG.integers(0, 2, (1, 20, 14)).astype(np.uint8) * np.uint8(255)
    mask = write("mask.tif", present)
    virtual = Path(vrt_of(write("a.tif", some())))
    own = (
        '<MaskBand><VRTRasterBand dataType="Byte"><SimpleSource><SourceFilename>'
        f"{mask}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></MaskBand>"
    )
    head, tail = virtual.read_text().rsplit("</VRTRasterBand>", 1)
    virtual.write_text(f"{head}{own}</VRTRasterBand>{tail}")
    assert read_all(virtual, bands=(1, 2))[1].all()
    np.testing.assert_array_equal(read_all(virtual)[1], present[0] != 0)
    with pytest.raises(DataError, match="lacks band 3 of scene.vrt"):
        read_all(virtual, missing="all")


def test_nodata_values_of_all_bands_together_are_a_mask(write: Write) -> None:
    bands = some("uint8")
    bands[:, 3, 3], bands[0, 5, 5] = [1, 2, 3], 1
    path = write("a.tif", bands, lambda dataset: dataset.update_tags(NODATA_VALUES="1 2 3"))
    assert np.argwhere(~read_all(path)[1]).tolist() == [[3, 3]]
    assert [5, 5] in np.argwhere(~read_all(path, nodata=(1, "none", "none"))[1]).tolist()
    assert read_all(path, nodata="none")[1].all()


def test_a_mask_file_says_what_is_missing(write: Write) -> None:
    mask = RNG.integers(0, 3, (1, 20, 14)).astype(np.float32)
    mask[0, 0, 0] = np.nan
    path = write("a.tif", some())
    expected = (mask[0] > 0) & (mask[0] != 2)
    np.testing.assert_array_equal(read_all(path, mask=write("m.tif", mask, nodata=2))[1], expected)
    with pytest.raises(DataError, match="gdalwarp .* -r near "):
        read_all(path, mask=write("n.tif", mask[:, :10]))


def test_a_partly_missing_pixel_is_left_out_unless_that_is_refused(write: Write) -> None:
    bands = some("uint8")
    bands[:, 3, 3], bands[0, 5, 5] = 0, 0
    path = write("a.tif", bands, nodata=0)
    assert np.argwhere(~read_all(path)[1]).tolist() == [[3, 3], [5, 5]]
    values, valid = read_all(path, missing="all")
    assert np.argwhere(~valid).tolist() == [[3, 3]]
    assert values[0, 5, 5] == 0  # a measurement as well as it may be


@pytest.mark.parametrize("marker", [-9999.0, np.nan])
def test_a_marker_is_never_taken_for_a_measurement(write: Write, marker: float) -> None:
    bands = some("float32")
    bands[:, 3, 3] = marker
    path = write("a.tif", bands, nodata=-9999)
    assert np.argwhere(~read_all(path, missing="all")[1]).tolist() == [[3, 3]]
    bands[1, 7, 2] = marker
    with pytest.raises(DataError, match="line 8, column 3 lacks band 2 of b.tif; .*missing='any'"):
        read_all(write("b.tif", bands, nodata=-9999), missing="all")


def test_a_pixel_masked_in_some_files_lacks_their_bands(write: Write) -> None:
    present = np.ones((20, 14), np.bool_)
    present[4, 4] = False
    a = write("a.tif", some(), lambda dataset: dataset.write_mask(present))
    b = write("b.tif", some())
    assert np.argwhere(~read_all([a, b])[1]).tolist() == [[4, 4]]
    assert np.argwhere(~read_all(a, missing="all")[1]).tolist() == [[4, 4]]
    with pytest.raises(DataError, match="line 5, column 5 lacks band 1 of a.tif"):
        read_all([a, b], missing="all")


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinity_is_refused_where_a_pixel_is_present(write: Write, dtype: str, value: float) -> None:
    bands = some(dtype)
    bands[2, 17, 4] = value
    path = write("a.tif", bands)
    with open_scene(path) as scene:
        scene.read(0, 17)
        with pytest.raises(DataError, match="line 18, column 5 holds infinity .* band 3 of a.tif"):
            scene.read(10, 10)
    mask = np.ones((1, 20, 14), np.uint8)
    mask[0, 17, 4] = 0
    assert not read_all(path, mask=write("m.tif", mask))[1][17, 4]


def test_values_beyond_what_squares_hold_are_refused(write: Write) -> None:
    bands = some("float64")
    bands[0, 0, 0] = -1.7976931348623157e308
    with pytest.raises(DataError, match="line 1, column 1 holds infinity or a value beyond 1e100"):
        read_all(write("a.tif", bands))
    assert not read_all(write("a.tif", bands, nodata=-1.7976931348623157e308))[1][0, 0]


def test_a_scene_may_be_all_nodata(write: Write) -> None:
    path = write("a.tif", np.zeros((2, 5, 6), np.uint8), nodata=0)
    with open_scene(path) as scene:
        assert scene.read(0, 5).pixels().shape == (0, 2)


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


@pytest.mark.parametrize("driver", ["COG", "JP2OpenJPEG"])
def test_other_formats_are_read(write: Write, driver: str, tmp_path: Path) -> None:
    bands = some("uint16", (3, 64, 48))
    with rasterio.Env() as environment:
        if driver not in environment.drivers():
            pytest.skip(f"GDAL has no {driver} here")
    options = {"QUALITY": "100", "REVERSIBLE": "YES"} if driver == "JP2OpenJPEG" else {}
    raster_shutil.copy(write("a.tif", bands), str(tmp_path / "a.out"), driver=driver, **options)
    np.testing.assert_array_equal(read_all(str(tmp_path / "a.out"))[0], bands)


@pytest.mark.parametrize(
    ("other", "shape", "message"),
    [
        ({"crs": "EPSG:32618"}, (40, 30), "CRS EPSG:32618 and not EPSG:32617"),
        ({"crs": None}, (40, 30), "CRS none and not EPSG:32617"),
        ({}, (40, 31), "31 x 40 pixels and not 30 x 40"),
        ({"transform": COARSE}, (20, 15), "pixels of 60 x 60 and not 30 x 30"),
        ({"transform": Affine(30.0, 0, 5e5, 0, -30.0, 3_999_985.0)}, (40, 30), "first corner at .*3999985"),
        ({"transform": Affine(30.0, 0, 5e5, 0, 30.0, 4e6)}, (40, 30), "the transform"),
    ],
)
def test_grids_that_differ_are_told_apart_and_mended_by_the_line_that_is_told(
    write: Write, other: dict[str, Any], shape: tuple[int, int], message: str
) -> None:
    first = write("a b.tif", some("uint8", (1, 40, 30)))
    second = write("c.tif", some("uint8", (1, *shape)), **other)
    with pytest.raises(DataError, match=message) as refused:
        open_scene([first, second])
    line = str(refused.value).partition("To bring it there: ")[2]
    words = shlex.split(line)
    assert words[0] == "gdalwarp"
    if not shutil.which("gdalwarp"):
        pytest.skip("no gdalwarp on this machine")
    subprocess.run([*words, "-q"], check=True, capture_output=True)
    with open_scene([first, words[-1]]) as scene:
        assert scene.read(0, 40).values.shape == (40, 30, 2)


def test_a_rotated_grid_is_mended_by_two_lines(write: Write) -> None:
    rotated = Affine(30.0, 2.0, 5e5, 1.0, -30.0, 4e6)
    first = write("a.tif", some("uint8", (1, 40, 30)), transform=rotated)
    second = write("b.tif", some("uint8", (1, 40, 30)))
    with pytest.raises(DataError, match="and use both results") as refused:
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
    with pytest.raises(DataError, match="gdal_translate -a_srs EPSG:32617 .*a.tif .*a-crs.tif, if that is"):
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


# Files that cannot be read


def vrt_of(source: str, width: int = 14, height: int = 20, n_bands: int = 3) -> str:
    """A virtual raster beside a file, of uint16, or of bytes where it has one band."""
    kind = "UInt16" if n_bands == 3 and width == 14 else "Byte"
    count = n_bands if kind == "UInt16" else 1
    bands = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{band}"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{source}</SourceFilename><SourceBand>{band}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for band in range(1, count + 1)
    )
    folder = Path(source).parent if Path(source).is_file() else Path.cwd()
    path = folder / "scene.vrt"
    path.write_text(f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{bands}</VRTDataset>')
    return str(path)


def test_no_raster_and_no_source_are_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("no raster")
    path = write("a.tif", some())
    for source, message in (
        (str(tmp_path / "none.tif"), "none.tif cannot be opened as a raster: .*No such file"),
        ([path, str(tmp_path / "B5.tif")], "B5.tif cannot be opened"),
        (str(tmp_path / "text.tif"), "not recognized as being in a supported file format"),
        (str(tmp_path), "it is a folder: name the files in it"),
        ([path, path], "given twice"),
        ([], "no raster was given"),
        ("", "no file name"),
        ([path, 3], "int is no path"),
    ):
        with pytest.raises(DataError, match=message):
            open_scene(source)


def test_a_container_says_what_it_holds(write: Write) -> None:
    bands = some("uint8", (3, 256, 256))
    write("a.gpkg", bands, driver="GPKG", RASTER_TABLE="first")
    path = write("a.gpkg", bands, driver="GPKG", RASTER_TABLE="second", APPEND_SUBDATASET="YES")
    with pytest.raises(DataError, match="no bands of its own, but holds GPKG:.*a.gpkg:first"):
        open_scene(path)
    with open_scene(f"GPKG:{path}:first") as scene:
        assert scene.grid.width == 256


@pytest.mark.parametrize("compress", ["none", "deflate"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
def test_a_truncated_file_is_refused_and_gdal_is_silent(
    write: Write, capfd: pytest.CaptureFixture[str], compress: str, kept: float
) -> None:
    path = Path(write("a.tif", some("uint16", (3, 200, 200)), compress=compress, blockysize=8))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError, match="a.tif cannot be (read in lines|opened)"):
        read_all(str(path))
    assert capfd.readouterr() == ("", "")


def test_gdal_is_silent_without_logging_too(write: Write) -> None:
    """In a process of its own: pytest sets logging up, which would take what GDAL says."""
    path = Path(write("a.tif", some("uint16", (3, 200, 200)), compress="deflate", blockysize=8))
    path.write_bytes(path.read_bytes()[:-5000])
    code = (
        "import sys\nfrom kmosaic.errors import DataError\nfrom kmosaic.scenes.raster import open_scene\n"
        "try:\n    with open_scene(sys.argv[1]) as scene: scene.read(0, 200)\n"
        "except DataError as error: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")
    assert logging.getLogger("rasterio").handlers


def test_a_virtual_raster_whose_file_is_gone_is_refused(write: Write) -> None:
    path = write("a.tif", some())
    virtual = vrt_of(path)
    Path(path).unlink()
    with pytest.raises(DataError, match="scene.vrt cannot be (read in lines 1 to 20|opened)"):
        read_all(virtual)


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A server that has nothing, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 (as http.server has it)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("prefix", ["/vsicurl/", "", "/vsicurl_streaming/"])
def test_a_file_asks_the_network_for_nothing_unless_it_is_allowed(
    server: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    address, asked = server
    monkeypatch.chdir(tmp_path)
    virtual = vrt_of(f"{prefix}{address}/some.tif")
    with pytest.raises(DataError, match=r"over the network; .*network=True"):
        open_scene(virtual)
    nested = tmp_path / "outer.vrt"
    nested.write_text(Path(virtual).read_text().replace(f"{prefix}{address}/some.tif", "scene.vrt"))
    with pytest.raises(DataError, match="over the network"):
        open_scene(nested)
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("scene.vrt", Path(virtual).read_text().replace("some.tif", "packed.tif"))
    with pytest.raises(DataError):
        read_all(f"/vsizip/{tmp_path}/packed.zip/scene.vrt")
    assert not asked
    with pytest.raises(DataError):
        read_all(virtual, network=True)
    with pytest.raises(DataError):
        read_all(f"{prefix or '/vsicurl/'}{address}/other.tif")
    assert "/some.tif" in asked
    assert "/other.tif" in asked


def test_virtual_rasters_of_themselves_and_damaged_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="scene.vrt cannot be"):
        read_all(vrt_of("scene.vrt"))
    (tmp_path / "bad.vrt").write_text("<VRTDataset")
    with pytest.raises(DataError, match="no proper XML"):
        open_scene(tmp_path / "bad.vrt")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(write: Write, data: st.DataObject) -> None:
    whole = write("whole.tif", np.arange(512, dtype=np.uint16).reshape(2, 16, 16), compress="deflate")
    path, content = Path(whole).with_name("damaged.tif"), bytearray(Path(whole).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(DataError), open_scene(path) as scene:
        if scene.grid.width < 10_000 and len(scene.bands) < 100:
            assert scene.read(0, 1).values.shape == (1, scene.grid.width, len(scene.bands))


def test_without_rasterio_the_line_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'kmosaic\[scenes\]'"):
        open_scene("a.tif")


@pytest.mark.parametrize(
    "options",
    [{"missing": "some"}, {"bands": [1]}, {"bands": (1.5,)}, {"nodata": "blue"}, {"nodata": (None,)}],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))}="):
        ReadOptions(**options)


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
