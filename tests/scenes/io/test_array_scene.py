"""Scenes from arrays: NumPy, Dask, xarray; what they say of themselves, and only the lines that are read."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes.io.array_scene import as_scene
from kmosaic.scenes.io.read_options import ReadOptions

BANDS = np.random.default_rng(3).integers(1, 200, (3, 12, 7)).astype(np.uint16)


def interleaved(bands: NDArray[Any]) -> NDArray[Any]:
    return np.moveaxis(bands, 0, 2)


def read_all(source: Any, **options: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """All lines of a scene, (n_lines, width, n_bands), and which pixels are present."""
    scene = as_scene(source, ReadOptions(**options))
    strip = scene.read(0, scene.grid.height)
    return strip.values, np.ones(strip.values.shape[:2], np.bool_) if strip.valid is None else strip.valid


def test_arrays_are_read_line_by_line() -> None:
    scene = as_scene(BANDS)
    assert (scene.grid.width, scene.grid.height, scene.grid.crs, scene.dtype) == (7, 12, "", np.uint16)
    buffer = np.zeros((4, 7, 3), np.uint16)
    strip = scene.read(5, 3, buffer[:3])
    np.testing.assert_array_equal(strip.values, interleaved(BANDS)[5:8])
    assert strip.values.base is buffer
    assert strip.valid is None
    assert not buffer[3].any()
    np.testing.assert_array_equal(read_all(BANDS[1])[0], BANDS[1][..., np.newaxis])
    np.testing.assert_array_equal(read_all(BANDS, bands=(3, 1))[0], interleaved(BANDS[[2, 0]]))


def test_dtypes_are_held_exactly() -> None:
    for stored, held in [
        ("bool", "uint8"),
        ("int8", "float32"),
        (">u2", "uint16"),
        ("int16", "float32"),
        ("float16", "float32"),
        ("int64", "float64"),
        ("uint64", "float64"),
        (">f8", "float64"),
    ]:
        values, _ = read_all((BANDS % 100).astype(stored))
        assert values.dtype == held
        np.testing.assert_array_equal(values, interleaved((BANDS % 100).astype(stored)))


def test_what_is_no_number_is_refused() -> None:
    for dtype in ["complex64", "U3", "datetime64[s]", "object"]:
        with pytest.raises(DataError, match="real numbers"):
            as_scene(np.ones((2, 3, 4)).astype(dtype))


def test_whole_numbers_that_float64_does_not_hold_are_refused() -> None:
    bands = BANDS.astype(np.int64)
    bands[1, 2, 3] = -(2**53) - 1
    with pytest.raises(DataError, match="line 3, column 4.*53 bits.*band 2"):
        read_all(bands)


def test_nodata_nan_and_masks_are_missing() -> None:
    bands = BANDS.astype(np.float32)
    bands[0, 1, 1], bands[2, 2, 2], bands[1, 3, 3] = -9999, np.nan, 5000
    _, valid = read_all(bands, nodata=(-9999, "none", "none"))
    assert np.argwhere(~valid).tolist() == [[1, 1], [2, 2]]
    masked = np.ma.masked_greater(bands, 4000)
    assert np.argwhere(~read_all(masked)[1]).tolist() == [[2, 2], [3, 3]]
    with pytest.raises(DataError, match="line 4.*column 4.*band 2"):
        read_all(np.ma.masked_greater(np.nan_to_num(bands), 4000), missing="all")


def test_infinity_is_refused() -> None:
    bands = BANDS.astype(np.float64)
    bands[2, 11, 6] = np.inf
    with pytest.raises(DataError, match="line 12.*column 7.*band 3"):
        read_all(bands)


def test_large_strips_are_looked_at_piece_by_piece() -> None:
    bands = np.random.default_rng(5).integers(0, 4, (2, 50, 3000)).astype(np.float32)
    bands[1, 20:30, :] = np.nan
    for missing, expected in (("any", (bands > 0).all(axis=0)), ("all", (bands > 0).any(axis=0))):
        kept = bands if missing == "any" else np.where(np.isnan(bands), 0, bands).astype(np.uint8)
        np.testing.assert_array_equal(read_all(kept, nodata=0, missing=missing)[1], expected)
    bands[0, 41, 2999] = np.inf
    with pytest.raises(DataError, match="line 42.*column 3000.*band 1"):
        read_all(bands)


def test_what_is_no_scene_is_refused() -> None:
    for source, message in [
        (np.zeros((2, 2, 2, 2)), r"\(n_bands, n_lines, n_columns\)"),
        (np.zeros((0, 4, 4)), "is needed"),
        (np.zeros(4), "is needed"),
        (3, "int.*path"),
        (None, "NoneType"),
    ]:
        with pytest.raises(DataError, match=message):
            as_scene(source)


def test_bands_that_come_last_are_refused() -> None:
    for shape in [(400, 500, 4), (90, 70, 1), (81, 66, 16)]:
        bands = np.ones(shape, np.uint8)
        with pytest.raises(DataError, match=r"np\.moveaxis\(a, -1, 0\)") as caught:
            as_scene(bands)
        assert f"{shape[0]} bands of {shape[1]} x {shape[2]} pixels" in str(caught.value)
        assert len(as_scene(np.moveaxis(bands, -1, 0)).bands) == shape[2]


def test_narrow_scenes_are_read_where_it_is_sure_that_they_are() -> None:
    assert len(as_scene(np.ones((224, 300, 17), np.uint8)).bands) == 224
    assert len(as_scene(np.ones((13, 300, 4), np.uint8)).bands) == 13
    xarray = pytest.importorskip("xarray")
    named = xarray.DataArray(np.ones((224, 300, 4), np.uint8), dims=("band", "y", "x"))
    assert len(as_scene(named).bands) == 224


def test_a_scene_is_a_scene() -> None:
    scene = as_scene(BANDS)
    assert as_scene(scene) is scene
    with pytest.raises(DataError, match="options"):
        as_scene(scene, ReadOptions(nodata=3))


def test_lines_outside_are_refused() -> None:
    with pytest.raises(ValueError, match="not within the 12"):
        as_scene(BANDS).read(10, 3)


def test_dask_arrays_are_computed_for_the_lines_read_only() -> None:
    dask_array = pytest.importorskip("dask.array")
    computed: list[tuple[int, ...]] = []

    def block(values: NDArray[Any], block_info: Any = None) -> NDArray[Any]:
        if block_info:
            computed.append(block_info[0]["chunk-location"])
        return values

    lazy = dask_array.from_array(BANDS, chunks=(3, 4, 7)).map_blocks(block, dtype=BANDS.dtype, meta=BANDS[:0])
    scene = as_scene(lazy, ReadOptions(bands=(2, 3)))
    assert scene.block_height == 4
    computed.clear()
    np.testing.assert_array_equal(scene.read(4, 3).values, interleaved(BANDS[1:])[4:7])
    assert {place[1] for place in computed} == {1}


def test_a_dask_array_that_fails_says_where() -> None:
    dask_array = pytest.importorskip("dask.array")

    def fail(_: NDArray[Any]) -> NDArray[Any]:
        raise OSError("the disk is gone")

    lazy = dask_array.from_array(BANDS, chunks=(3, 4, 7)).map_blocks(fail, dtype=BANDS.dtype, meta=BANDS[:0])
    with pytest.raises(DataError, match="lines 5 to 6.*disk"):
        as_scene(lazy).read(4, 2)


# xarray


def data_array(order: tuple[str, ...] = ("band", "y", "x"), **more: Any) -> Any:
    xarray = pytest.importorskip("xarray")
    y, x = 4_000_000 - 30 * (np.arange(12) + 0.5), 500_000 + 30 * (np.arange(7) + 0.5)
    array = xarray.DataArray(BANDS, dims=("band", "y", "x"), coords={"y": y, "x": x}, name="landsat", **more)
    return array.transpose(*order)


def test_a_chunk_that_is_not_as_declared_is_an_error() -> None:
    dask_array = pytest.importorskip("dask.array", reason="dask is not installed")
    for unlike in [
        lambda chunk: chunk[:, :1],
        lambda chunk: chunk.astype(np.float64),
        lambda chunk: chunk[..., :-1],
    ]:
        lazy = dask_array.from_array(BANDS, chunks=(3, 4, 7)).map_blocks(
            unlike, dtype=BANDS.dtype, meta=BANDS[:0]
        )
        with pytest.raises(DataError, match=r"lines 1 to 2|declared"):
            as_scene(lazy).read(0, 2)


def test_dimensions_may_come_in_any_order() -> None:
    for order in [("band", "y", "x"), ("y", "x", "band"), ("x", "band", "y")]:
        scene = as_scene(data_array(order))
        np.testing.assert_array_equal(scene.read(2, 5).values, interleaved(BANDS)[2:7])
        assert scene.grid.transform == (30, 0, 500_000, 0, -30, 4_000_000)
        assert scene.name == "landsat"


def test_longitude_latitude_and_a_single_band_will_do() -> None:
    array = data_array().rename({"y": "latitude", "x": "lon"})[1]
    assert as_scene(array).grid.transform == (30, 0, 500_000, 0, -30, 4_000_000)
    np.testing.assert_array_equal(read_all(array)[0][..., 0], BANDS[1])


def test_a_cut_array_lies_where_its_coordinates_are() -> None:
    array = data_array().assign_coords(spatial_ref=0)
    array.spatial_ref.attrs["GeoTransform"] = "500000 30 0 4000000 0 -30"
    assert as_scene(array[:, 2:, 3:]).grid.transform == (30, 0, 500_090, 0, -30, 3_999_940)
    assert as_scene(array[:, 2:3, 3:]).grid.transform == (30, 0, 500_090, 0, -30, 3_999_940)
    assert as_scene(array.drop_vars(["x", "y"])).grid.transform == (30, 0, 500_000, 0, -30, 4_000_000)


def test_uneven_coordinates_are_refused() -> None:
    array = data_array()
    array["y"] = np.arange(12.0) ** 2
    with pytest.raises(DataError, match="landsat.*evenly"):
        as_scene(array)


def test_nodata_descriptions_and_scale_come_from_attributes() -> None:
    array = data_array()
    array.values[1, 4, 4] = 255
    array.attrs |= {
        "_FillValue": 255,
        "long_name": ("blue", "red", "nir"),
        "scale_factor": 0.5,
        "add_offset": 1.0,
    }
    scene = as_scene(array, ReadOptions(bands=("nir", "red"), use_scale_offset=True))
    strip = scene.read(0, 12)
    assert strip.valid is not None
    assert np.argwhere(~strip.valid).tolist() == [[4, 4]]
    np.testing.assert_array_equal(strip.pixels(), interleaved(array.values[[2, 1]])[strip.valid] * 0.5 + 1)
    array.values[1, 4, 4] = 1
    array.attrs.pop("_FillValue")
    array.encoding["_FillValue"] = 255
    assert as_scene(array).bands[0].nodata == 255
    assert as_scene(array.astype(float).assign_attrs(nodata=[1, 2, 3])).bands[2].nodata == 3


def test_bands_may_be_named_by_their_coordinate() -> None:
    array = data_array().assign_coords(band=["b", "r", "n"])
    np.testing.assert_array_equal(read_all(array, bands=("n",))[0], interleaved(BANDS[2:]))


def test_an_attribute_may_name_the_crs() -> None:
    rasterio = pytest.importorskip("rasterio")
    array = data_array().assign_attrs(crs="EPSG:32617")
    assert rasterio.crs.CRS.from_wkt(as_scene(array).grid.crs).to_epsg() == 32617
    with pytest.raises(DataError, match="is no CRS"):
        as_scene(array.assign_attrs(crs="Middle-earth"))


def test_dimensions_that_are_not_understood_are_refused() -> None:
    array = data_array()
    with pytest.raises(DataError, match="dimensions.*'time': 1.*isel"):
        as_scene(array.expand_dims("time"))
    with pytest.raises(DataError, match="y, x"):
        as_scene(array.rename(y="a", x="b"))
    with pytest.raises(DataError, match="to_dataarray"):
        as_scene(array.to_dataset())


def test_a_dask_backed_array_is_pickled_and_read() -> None:
    pytest.importorskip("dask.array")
    scene = pickle.loads(pickle.dumps(as_scene(data_array().chunk({"y": 5}))))
    assert scene.block_height == 5
    np.testing.assert_array_equal(scene.read(3, 6).values, interleaved(BANDS)[3:9])


def test_what_rioxarray_writes_is_read_as_rasterio_reads_it(tmp_path: Any) -> None:
    rasterio = pytest.importorskip("rasterio")
    rioxarray = pytest.importorskip("rioxarray")
    path = str(tmp_path / "a.tif")
    transform = rasterio.Affine(30, 0, 500_000, 0, -30, 4_000_000)
    form = {"width": 7, "height": 12, "count": 3, "dtype": "uint16", "nodata": 7, "crs": "EPSG:32617"}
    with rasterio.open(path, "w", driver="GTiff", transform=transform, **form) as dataset:
        dataset.write(BANDS)
        dataset.descriptions = ("blue", "red", "nir")
    with rioxarray.open_rasterio(path) as array:
        given, expected = as_scene(array), as_scene(path)
        assert given.grid.transform == expected.grid.transform
        assert rasterio.crs.CRS.from_wkt(given.grid.crs) == rasterio.crs.CRS.from_wkt(expected.grid.crs)
        assert given.bands == expected.bands
        np.testing.assert_array_equal(given.read(0, 12).pixels(), expected.read(0, 12).pixels())


def test_a_mask_file_goes_for_arrays_too(tmp_path: Any) -> None:
    rasterio = pytest.importorskip("rasterio")
    mask = (BANDS[0] % 2).astype(np.uint8)
    path = str(tmp_path / "mask.tif")
    form = {"width": 7, "height": 12, "count": 1, "dtype": "uint8"}
    with rasterio.open(
        path, "w", driver="GTiff", transform=rasterio.Affine(30, 0, 500_000, 0, -30, 4_000_000), **form
    ) as dataset:
        dataset.write(mask, 1)
    np.testing.assert_array_equal(read_all(data_array(), mask=path)[1], mask == 1)
    with pytest.raises(DataError, match="grid"):
        read_all(BANDS, mask=path)
