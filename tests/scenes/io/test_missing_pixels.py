"""Which pixels of rasters are missing."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from kmosaic.errors import DataError
from kmosaic.scenes.io.raster_scene import open_scene
from scene_rasters import RNG, Write, read_all, some, vrt_of

rasterio = pytest.importorskip("rasterio")


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
    with pytest.raises(DataError, match="3 nodata.*2 bands"):
        read_all(paths, nodata=(1, 2, 3))


def test_nodata_that_a_dtype_does_not_hold_is_no_pixel(write: Write) -> None:
    for nodata in [-1, 300, 0.5, float("nan")]:
        bands = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
        assert read_all(write("a.tif", bands), nodata=nodata)[1].all()


def test_float_nodata_is_found_though_its_tag_is_rounded(write: Write) -> None:
    for nodata, value in [
        (-9999.0, -9999.0),
        (0.1, np.float32(0.1)),
        (-3.40282e38, np.finfo("f4").min),
        (-np.inf, -np.inf),
        (0.0, -0.0),
    ]:
        bands = some("float32", (1, 5, 6))
        bands[0, 3, 2] = value
        _, valid = read_all(write("a.tif", bands), nodata=nodata)
        assert np.argwhere(~valid).tolist() == [[3, 2]]


def test_nan_is_missing(write: Write) -> None:
    bands = some("float64")
    bands[1, 4, 4] = np.nan
    assert np.argwhere(~read_all(write("a.tif", bands))[1]).tolist() == [[4, 4]]


def test_alpha_is_no_feature_but_says_what_is_missing(write: Write) -> None:
    for nodata in [None, 77]:
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
    with pytest.raises(DataError, match="band 3.*scene.vrt"):
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


def test_a_marker_is_never_taken_for_a_measurement(write: Write) -> None:
    for marker in [-9999.0, np.nan]:
        bands = some("float32")
        bands[:, 3, 3] = marker
        path = write("a.tif", bands, nodata=-9999)
        assert np.argwhere(~read_all(path, missing="all")[1]).tolist() == [[3, 3]]
        bands[1, 7, 2] = marker
        with pytest.raises(DataError, match="line 8.*column 3.*band 2.*b.tif.*missing='any'"):
            read_all(write("b.tif", bands, nodata=-9999), missing="all")


def test_a_pixel_masked_in_some_files_lacks_their_bands(write: Write) -> None:
    present = np.ones((20, 14), np.bool_)
    present[4, 4] = False
    a = write("a.tif", some(), lambda dataset: dataset.write_mask(present))
    b = write("b.tif", some())
    assert np.argwhere(~read_all([a, b])[1]).tolist() == [[4, 4]]
    assert np.argwhere(~read_all(a, missing="all")[1]).tolist() == [[4, 4]]
    with pytest.raises(DataError, match="line 5.*column 5.*band 1.*a.tif"):
        read_all([a, b], missing="all")


def test_infinity_is_refused_where_a_pixel_is_present(write: Write) -> None:
    for value, dtype in product([np.inf, -np.inf], ["float32", "float64"]):
        bands = some(dtype)
        bands[2, 17, 4] = value
        path = write("a.tif", bands)
        with open_scene(path) as scene:
            scene.read(0, 17)
            with pytest.raises(DataError, match="line 18.*column 5.*band 3.*a.tif"):
                scene.read(10, 10)
        mask = np.ones((1, 20, 14), np.uint8)
        mask[0, 17, 4] = 0
        assert not read_all(path, mask=write("m.tif", mask))[1][17, 4]


def test_values_beyond_what_squares_hold_are_refused(write: Write) -> None:
    bands = some("float64")
    bands[0, 0, 0] = -1.7976931348623157e308
    with pytest.raises(DataError, match="line 1.*column 1.*1e100"):
        read_all(write("a.tif", bands))
    assert not read_all(write("a.tif", bands, nodata=-1.7976931348623157e308))[1][0, 0]


def test_a_scene_may_be_all_nodata(write: Write) -> None:
    path = write("a.tif", np.zeros((2, 5, 6), np.uint8), nodata=0)
    with open_scene(path) as scene:
        assert scene.read(0, 5).pixels().shape == (0, 2)
